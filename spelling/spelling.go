// Package spelling suggests what a user who mistyped a name may have meant.
//
// It promises to suggest few names or none, and to put the nearest first. It corrects
// nothing: who asks still gets an error.
package spelling

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// Meant is the part of an error's text that suggests what a mistyped name may have
// meant, as "; did you mean github?"; it is "" where nothing is near.
func Meant(name string, all []string) string {
	if near := Near(name, all); len(near) > 0 {
		return fmt.Sprintf("; did you mean %s?", strings.Join(near, " or "))
	}
	return ""
}

// MeantFlag is [Meant] for the error of a command line with a flag that there is none of.
func MeantFlag(err error, all *pflag.FlagSet) string {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) || unknown.GetSpecifiedShortnames() != "" {
		return ""
	}
	var names []string
	all.VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, "--"+f.Name)
		}
	})
	return Meant("--"+unknown.GetSpecifiedName(), names)
}

// most is how many names are suggested.
const most = 3

// Near are the names that a mistyped one is close to, the nearest first, three at the
// most. Upper and lower case do not count.
func Near(name string, all []string) []string {
	type candidate struct {
		name     string
		distance int
	}
	var found []candidate
	lower := strings.ToLower(name)
	for _, one := range all {
		other := strings.ToLower(one)
		d := distance(lower, other)
		switch {
		case d <= 1 || d <= len(other)/3:
		case len(lower) >= 2 && (strings.HasPrefix(other, lower) || strings.HasPrefix(lower, other)):
		default:
			continue
		}
		found = append(found, candidate{one, d})
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return a.distance - b.distance })
	var names []string
	for _, c := range found[:min(len(found), most)] {
		names = append(names, c.name)
	}
	return names
}

// distance is how many letters have to be added, dropped or changed, or neighbours
// swapped, to make one text the other.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	rows := make([][]int, len(x)+1)
	for i := range rows {
		rows[i] = make([]int, len(y)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(x); i++ {
		for j := 1; j <= len(y); j++ {
			change := 1
			if x[i-1] == y[j-1] {
				change = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+change)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(x)][len(y)]
}
