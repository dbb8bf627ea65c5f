// Package security holds a whole proxy to docs/security.md where the promise belongs
// to no single package: what passes between clients and upstreams, what a stranger's
// requests come to, and what is on disk. What one package promises is tested there.
package security
