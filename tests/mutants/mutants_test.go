package mutants

import (
	"cmp"
	"flag"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

var (
	everyone = flag.Bool("all", false, "search all mutants, which takes long, instead of a sample")
	only     = flag.String("region", "", "search the mutants of this region only")
	worlds   = flag.Int("worlds", 1500, "explore each mutant in each mode for so many situations at most")
)

// explained reads the survivors that are known, with the heading that says why each is harmless.
func explained(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("survivors.md")
	if err != nil {
		t.Fatal(err)
	}
	reasons, heading := map[string]string{}, ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if h, ok := strings.CutPrefix(line, "## "); ok {
			heading = h
		} else if name, ok := strings.CutPrefix(line, "- `"); ok {
			reasons[strings.TrimSuffix(name, "`")] = heading
		}
	}
	return reasons
}

// sample is every how many mutants one is searched without -all.
const sample = 197

func TestEveryMutantIsCaughtOrHarmless(t *testing.T) {
	mutants := all(*only)
	reasons := explained(t)
	known := map[string]bool{}
	for _, m := range all("") {
		known[m.name] = true
	}
	for name := range reasons {
		if !known[name] {
			t.Errorf("survivors.md explains %q, which is no mutant", name)
		}
	}
	if !*everyone {
		var some []mutant
		for i := 0; i < len(mutants); i += sample {
			some = append(some, mutants[i])
		}
		mutants, *worlds = some, min(*worlds, 1000)
	}
	h, err := newHunter(t.Context(), 30000, *worlds)
	if err != nil {
		t.Fatal(err)
	}
	verdicts, err := h.huntAll(t.Context(), mutants, func(v verdict) {
		if v.by == "" && reasons[v.mutant.name] == "" && *everyone {
			t.Logf("SURVIVES %s|%s|%v", v.mutant.kind, v.mutant.name, v.tried)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	kinds := tally(verdicts)
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		t.Logf("| %s | %d | %d | %d | %d |", kind, kinds[kind].generated, kinds[kind].compiler, kinds[kind].searched, kinds[kind].survive)
	}
	for _, v := range verdicts {
		switch why := reasons[v.mutant.name]; {
		case v.by == "" && why == "" && *everyone:
			t.Errorf("%s survives and is not explained: %s", v.mutant.kind, v.mutant.name)
		case v.by != "" && why != "":
			t.Errorf("survivors.md explains %q, which is caught by %s", v.mutant.name, v.by)
		}
	}
}

type count struct{ generated, compiler, searched, survive int }

func tally(verdicts []verdict) map[string]*count {
	kinds := map[string]*count{}
	for _, v := range verdicts {
		for _, kind := range []string{v.mutant.kind, "~ all"} {
			kinds[kind] = cmp.Or(kinds[kind], &count{})
			c := kinds[kind]
			c.generated++
			switch v.by {
			case "":
				c.survive++
			case "the compiler":
				c.compiler++
			default:
				c.searched++
			}
		}
	}
	return kinds
}
