// Package faults holds the list of faults that were found on the running product
// (ids.txt) to the tests that show their right values. A test shows a fault's right
// value by the words "fault" and the fault's id in a comment. The package shows that no
// fault is without a test, not that a test is a good one.
package faults
