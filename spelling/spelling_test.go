package spelling_test

import (
	"fmt"
	"strings"
	"testing"

	"mcpproxy/spelling"

	"github.com/spf13/pflag"
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

// A flag that is not there is named with those that it may have been; hidden ones are
// for no user.
func TestMeantFlag(t *testing.T) {
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.String("listen", "", "")
	flags.Bool("started", false, "")
	if err := flags.MarkHidden("started"); err != nil {
		t.Fatal(err)
	}
	for arg, want := range map[string]string{"--lisen": "; did you mean --listen?", "--start": "", "-l": "", "-q": "", "--listen": ""} {
		if got := spelling.MeantFlag(flags.Parse([]string{arg}), flags); got != want {
			t.Errorf("%s: %q, want %q", arg, got, want)
		}
	}
}
