// Package troubleshooting brings real upstreams into the troubles that users have,
// with the faults of the test authorization server, and holds what they are told then:
// every entry of docs/troubleshooting.md to what `statectl explain` says at that
// moment, and every message to one list (testdata/*.txt).
package troubleshooting
