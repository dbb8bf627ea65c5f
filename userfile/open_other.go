//go:build !unix

package userfile

const withoutWaiting = 0
