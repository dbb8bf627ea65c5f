package troubleshooting

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"mcpproxy/explain"
	"mcpproxy/tests/golden"
)

const document = "../../docs/troubleshooting.md"

// told is what the proxy said at the moment of a symptom.
type told struct{ message, state, explanation string }

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
			list = append(list, message{symptom.name, said.state, said.message})
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
	if err != nil {
		said.message = s.normal(heard(err))
	}
	said.state = string(status.Phase)
	for _, r := range status.Regions {
		if strings.Contains(said.message, "("+r.State+")") {
			said.state = r.State // the region that it is about
		}
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
