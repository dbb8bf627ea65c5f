package mutants

import (
	"cmp"
	"flag"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
)

var (
	everyone = flag.Bool("all", false, "search all mutants instead of a sample")
	only     = flag.String("region", "", "search the mutants of this region only")
	worlds   = flag.Int("worlds", 1500, "explore each mutant in each mode for so many situations at most")
	surveyed = flag.Int("surveyed", 60000, "survey the graph in each mode for so many situations, to find where searches of mutants begin")
)

// explanation says why mutants whose names match a pattern are harmless.
type explanation struct{ pattern, reason string }

func (r explanation) covers(m *mutant) bool {
	ok, err := path.Match(r.pattern, m.name)
	return ok && err == nil
}

// explained reads the rules: patterns of names under headings that say why.
func explained(t *testing.T) (rules []explanation) {
	t.Helper()
	text, err := os.ReadFile("survivors.md")
	if err != nil {
		t.Fatal(err)
	}
	heading := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if h, ok := strings.CutPrefix(line, "## "); ok {
			heading = h
		} else if name, ok := strings.CutPrefix(line, "- `"); ok {
			rules = append(rules, explanation{strings.TrimSuffix(name, "`"), heading})
		}
	}
	return rules
}

// sample is every how many mutants one is searched without -all.
const sample = 197

func TestEveryMutantIsCaughtOrHarmless(t *testing.T) {
	mutants, rules := all(*only), explained(t)
	for _, r := range rules {
		if !slices.ContainsFunc(all(""), func(m mutant) bool { return r.covers(&m) }) {
			t.Errorf("survivors.md explains %q, which is no mutant", r.pattern)
		}
	}
	if !*everyone {
		var some []mutant
		for i := 0; i < len(mutants); i += sample {
			some = append(some, mutants[i])
		}
		mutants, *worlds, *surveyed = some, min(*worlds, 1000), min(*surveyed, 2000)
	}
	h, err := newHunter(t.Context(), *surveyed, *worlds)
	if err != nil {
		t.Fatal(err)
	}
	verdicts, err := h.huntAll(t.Context(), mutants)
	if err != nil {
		t.Fatal(err)
	}
	kinds := tally(verdicts)
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		t.Logf("| %s | %d | %d | %d | %d |", kind, kinds[kind].generated, kinds[kind].compiler, kinds[kind].searched, kinds[kind].survive)
	}
	if *everyone { // a sample is searched for too short a time to be judged
		judge(t, verdicts, rules)
	}
}

// judge holds the survivors and the rules to each other.
func judge(t *testing.T, verdicts []verdict, rules []explanation) {
	t.Helper()
	reasons, searched, survive := map[string]int{}, map[string]bool{}, map[string]bool{}
	for i := range verdicts {
		v := &verdicts[i]
		explained := ""
		for _, r := range rules {
			if !r.covers(&v.mutant) {
				continue
			}
			explained = r.reason
			searched[r.pattern] = true
			survive[r.pattern] = survive[r.pattern] || v.by == ""
		}
		switch {
		case v.by == "" && explained == "":
			t.Errorf("%s survives and is not explained: %s (its place was reached: %t)", v.mutant.kind, v.mutant.name, v.tried)
		case v.by == "":
			reasons[explained]++
		}
	}
	for _, r := range rules {
		if searched[r.pattern] && !survive[r.pattern] {
			t.Errorf("survivors.md explains %q, which is caught", r.pattern)
		}
	}
	for _, reason := range slices.Sorted(maps.Keys(reasons)) {
		t.Logf("%d survive: %s", reasons[reason], reason)
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
