// Package requirements holds docs/requirements.md to the list of all requirements
// (ids.txt), to the tests that it names, and to the outcomes of the conformance
// suite. It shows that the table is whole, not that a test is a good one.
package requirements
