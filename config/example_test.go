package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"mcpproxy/config"
)

// A file is read as a whole: what is wrong with an entry is named, and the others can be
// used.
func ExampleLoad() {
	directory, err := os.MkdirTemp("", "config")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(directory)
	path := filepath.Join(directory, "config.json")
	const text = `{"mcpServers": {
		"notes": {"url": "https://notes.example.com/mcp"},
		"files": {"comand": "mcp-files"}
	}}`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		panic(err)
	}
	file, err := config.Load(path, os.LookupEnv)
	if err != nil {
		panic(err)
	}
	for _, u := range file.Upstreams {
		fmt.Println(u.Name, u.Transport, u.Problem == "")
	}
	for _, p := range file.Problems {
		what, _, _ := strings.Cut(p.Problem, "; accepted are")
		fmt.Println(p.Line, p.Path, what)
	}
	// Output:
	// files http false
	// notes http true
	// 3 mcpServers.files unknown field "comand"; did you mean command?
}
