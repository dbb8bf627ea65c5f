// Command browser is the user's browser in end-to-end tests: it visits an
// address, follows every redirect and reads the page. A file leads on by its refresh. What
// it is given is noted in the file that GIVEN names.
package main

import (
	"fmt"
	"html"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
)

var refresh = regexp.MustCompile(`content="0; url=([^"]+)"`)

// leadsTo is where a file leads, and any other address.
func leadsTo(address string) string {
	path, isFile := strings.CutPrefix(address, "file://")
	if !isFile {
		return address
	}
	page, err := os.ReadFile(path)
	match := refresh.FindStringSubmatch(string(page))
	if err != nil || match == nil {
		fmt.Fprintf(os.Stderr, "%s leads nowhere: %v\n", path, err)
		os.Exit(1)
	}
	return html.UnescapeString(match[1])
}

func main() {
	if given := os.Getenv("GIVEN"); given != "" {
		_ = os.WriteFile(given, []byte(strings.Join(os.Args, " ")), 0o600) // the test will miss it
	}
	response, err := http.Get(leadsTo(os.Args[len(os.Args)-1]))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body) // the page is for users
}
