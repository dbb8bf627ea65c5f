//go:build race

package fsm_test

const raceDetector = true
