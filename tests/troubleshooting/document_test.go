package troubleshooting

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"mcpproxy/explain"
	"mcpproxy/jsonrpc"
	"mcpproxy/tests/golden"
)

const document = "../../docs/troubleshooting.md"

// told is what the proxy said at the moment of a symptom.
type told struct{ message, explanation string }

// Every entry of the document shows what is said at that moment, and every symptom
// has an entry.
func TestTheDocumentShowsWhatIsSaid(t *testing.T) {
	var mu sync.Mutex
	all := map[string]told{}
	t.Run("symptoms", func(t *testing.T) {
		for _, symptom := range symptoms() {
			t.Run(symptom.name, func(t *testing.T) {
				t.Parallel()
				said := meet(t, symptom)
				mu.Lock()
				defer mu.Unlock()
				all[symptom.name] = said
			})
		}
	})
	if t.Failed() || len(all) != len(symptoms()) {
		return // one of them was asked for by name, or failed
	}
	compareDocument(t, all)
	list := []message{}
	for _, symptom := range symptoms() {
		if said := all[symptom.name]; said.message != "" {
			list = append(list, message{symptom.name, said.message})
		}
	}
	compareMessages(t, "symptoms.txt", list)
}

// meet brings an upstream there and asks.
func meet(t *testing.T, symptom symptom) told {
	s := newScene(t, symptom.options)
	err := symptom.provoke(s)
	status := s.normalStatus(s.status(symptom.when), symptom.refused)
	var text strings.Builder
	if err := explain.Fprint(&text, explain.Of(s.up.Machine().Definition().Graph(), status), now); err != nil {
		t.Fatal(err)
	}
	said := told{explanation: text.String()}
	var answer *jsonrpc.Error
	switch {
	case errors.As(err, &answer):
		said.message = s.normal(answer.Message) // what the client is sent
	case err != nil:
		said.message = s.normal(err.Error())
	}
	return said
}

var shown = regexp.MustCompile(`(?s)<!-- shown: ([a-z-]+) -->\n(.*?)<!-- end -->`)

func compareDocument(t *testing.T, all map[string]told) {
	t.Helper()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	var entries []string
	made := shown.ReplaceAllStringFunc(string(text), func(found string) string {
		name := shown.FindStringSubmatch(found)[1]
		entries = append(entries, name)
		said, ok := all[name]
		if !ok {
			t.Errorf("the document has an entry %s that no test provokes", name)
			return found
		}
		var b strings.Builder
		fmt.Fprintf(&b, "<!-- shown: %s -->\n", name)
		if said.message != "" {
			fmt.Fprintf(&b, "> %s\n\n", said.message)
		}
		fmt.Fprintf(&b, "```\n$ statectl explain notes\n%s```\n<!-- end -->", said.explanation)
		return b.String()
	})
	for name := range all {
		if !slices.Contains(entries, name) {
			t.Errorf("the document has no entry %s", name)
		}
	}
	golden.Compare(t, document, made)
}

// message is one that a person or a client gets.
type message struct{ name, text string }

// nextStep is what a message says of what can be done now.
var nextStep = regexp.MustCompile(`mcpproxy |statectl |oauth\.|--[a-z]|headers\.|configured (are|in)|accepted (now|are)|give |write |set |use |put |call |is not one of|the document is|[Bb]egin again|can close|remove it|bring the|go on with it|initialize again|there are |needs url|a name has|it begins with|restart it`)

func compareMessages(t *testing.T, file string, all []message) {
	t.Helper()
	var b strings.Builder
	for _, m := range all {
		if strings.Contains(m.text, "\n") || len(m.text) > 800 {
			t.Errorf("%s is not one short paragraph: %q", m.name, m.text)
		}
		if !nextStep.MatchString(m.text) {
			t.Errorf("%s does not say what to do: %q", m.name, m.text)
		}
		fmt.Fprintf(&b, "%s\n    %s\n\n", m.name, m.text)
	}
	golden.Compare(t, "testdata/"+file, b.String())
}
