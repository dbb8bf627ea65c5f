package spelling_test

import (
	"fmt"
	"strings"
	"testing"

	"mcpproxy/spelling"
)

func ExampleMeant() {
	fmt.Printf("%q: there is no such upstream%s\n", "githb", spelling.Meant("githb", []string{"files", "github"}))
	// Output: "githb": there is no such upstream; did you mean github?
}

func TestNear(t *testing.T) {
	states := []string{"Disconnected", "Connecting", "Connected", "Failed", "Closed"}
	for _, test := range []struct {
		name string
		all  []string
		want string
	}{
		{"githb", []string{"files", "github"}, "github"},
		{"GitHub", []string{"github"}, "github"},
		{"git", []string{"files", "github", "gitlab"}, "github gitlab"},
		{"git", []string{"git1", "git2", "git3", "git4"}, "git1 git2 git3"},
		{"conected", states, "Connected Disconnected"},
		{"lgoin", []string{"connect", "login", "logout"}, "login"},
		{"x", []string{"files", "github"}, ""},
		{"", []string{"files"}, ""},
	} {
		if got := strings.Join(spelling.Near(test.name, test.all), " "); got != test.want {
			t.Errorf("%q is near %q, want %q", test.name, got, test.want)
		}
	}
}
