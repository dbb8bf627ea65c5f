//go:build !race

package verify_test

// most is 0: everything is explored.
const most = 0
