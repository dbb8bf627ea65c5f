//go:build race

package verify_test

// most bounds a search under the race detector, which is ten times slower.
const most = 20_000
