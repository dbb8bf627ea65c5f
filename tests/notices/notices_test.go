// Package notices holds THIRD_PARTY to what the products are linked from: every module
// of which a package is in one of them, on any of the systems that they are built for,
// with its licence and notices in full. With -update it is written again.
package notices

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mcpproxy/tests/golden"
)

// products are all programs that are given to users.
const products = "mcpproxy/cmd/..."

var (
	// platforms are those that the products are built for.
	platforms = []string{"darwin/amd64", "darwin/arm64", "freebsd/amd64", "linux/amd64", "linux/arm64", "windows/amd64", "windows/arm64"}
	// legal are the files in which authors say under what terms they give their work.
	legal = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents|unlicense)([.-].*)?$`)
)

// kinds are the licences that the products may be given on with, by words of theirs that
// no other licence has. What is under none of them fails the test: someone has to read it.
var kinds = []struct{ name, words string }{
	{"Apache-2.0", "Apache License Version 2.0, January 2004"},
	{"BSD-3-Clause", "Neither the name of"},
	{"BSD-2-Clause", "Redistributions in binary form must reproduce the above copyright notice"},
	{"MIT", "Permission is hereby granted, free of charge, to any person obtaining a copy"},
	{"ISC", "Permission to use, copy, modify, and/or distribute this software for any purpose"},
}

// others are the words of licences that ask for more. A text that has them is of no known
// kind, whatever else is in it.
var others = regexp.MustCompile(`(?i)GNU (lesser |affero |library )?general public|Eclipse Public|Mozilla Public|Common Development and Distribution|` +
	`Server Side Public|Business Source|Commons Clause|Creative Commons|Elastic License|All rights reserved\W+No part`)

func kindOf(licence string) string {
	words := strings.Join(strings.Fields(licence), " ")
	if others.MatchString(words) {
		return ""
	}
	for _, kind := range kinds {
		if strings.Contains(words, kind.words) {
			return kind.name
		}
	}
	return ""
}

// module is what is linked of one: where it is, and where its linked packages are.
type module struct {
	path, version, root string
	packages            map[string]bool
}

// linked are the modules of which a package is in a product.
func linked(t *testing.T) map[string]*module {
	t.Helper()
	all := map[string]*module{}
	for _, platform := range platforms {
		system, architecture, _ := strings.Cut(platform, "/")
		const format = "{{with .Module}}{{if not .Main}}{{.Path}}\t{{.Version}}\t{{.Dir}}\t{{$.Dir}}{{end}}{{end}}"
		list := exec.Command("go", "list", "-deps", "-f", format, products)
		list.Env = append(os.Environ(), "GOOS="+system, "GOARCH="+architecture, "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
		list.Stderr = os.Stderr
		out, err := list.Output()
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(out)) {
			fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
			if len(fields) != 4 {
				continue
			}
			m := all[fields[0]]
			if m == nil {
				m = &module{path: fields[0], version: fields[1], root: fields[2], packages: map[string]bool{}}
				all[fields[0]] = m
			}
			m.packages[fields[3]] = true
		}
	}
	return all
}

// terms are the legal files of a module and of those of its directories from which
// something is linked, by their place in the module.
func (m *module) terms(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for directory := range m.packages {
		for ; strings.HasPrefix(directory, m.root); directory = filepath.Dir(directory) {
			entries, err := os.ReadDir(directory)
			if err != nil {
				t.Fatal(err)
			}
			for _, entry := range entries {
				if entry.IsDir() || !legal.MatchString(entry.Name()) || strings.HasSuffix(entry.Name(), ".go") {
					continue
				}
				text, err := os.ReadFile(filepath.Join(directory, entry.Name()))
				if err != nil {
					t.Fatal(err)
				}
				place, err := filepath.Rel(m.root, filepath.Join(directory, entry.Name()))
				if err != nil {
					t.Fatal(err)
				}
				found[filepath.ToSlash(place)] = strings.TrimSpace(strings.ReplaceAll(string(text), "\r\n", "\n"))
			}
		}
	}
	return found
}

// THIRD_PARTY has the licences of everything that the products are linked from
// (fault J17), and nothing is linked whose licence is not among those that are known.
func TestThirdParty(t *testing.T) {
	var b strings.Builder
	fmt.Fprintf(&b, "mcpproxy and statectl are linked from the Go standard library and the modules below.\n"+
		"This file is written by the test of tests/notices with -update.\n")
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	licence, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(root)), "LICENSE"))
	if err != nil {
		t.Fatal(err)
	}
	given := map[string]string{}
	section(&b, given, "The Go standard library", kindOf(string(licence)), map[string]string{"LICENSE": strings.TrimSpace(string(licence))})
	modules := linked(t)
	for _, m := range slices.SortedFunc(maps.Values(modules), func(a, b *module) int { return cmp.Compare(a.path, b.path) }) {
		terms := m.terms(t)
		found := map[string]bool{}
		for place, text := range terms {
			if kind := kindOf(text); kind != "" {
				found[kind] = true
			} else if strings.HasPrefix(strings.ToLower(filepath.Base(place)), "licen") {
				t.Errorf("%s %s: what %s says is none of the licences that are known", m.path, m.version, place)
			}
		}
		if len(found) == 0 {
			t.Errorf("%s %s has no licence that is known; its files: %v", m.path, m.version, slices.Sorted(maps.Keys(terms)))
		}
		section(&b, given, m.path+" "+m.version, strings.Join(slices.Sorted(maps.Keys(found)), ", "), terms)
	}
	golden.Compare(t, "../../THIRD_PARTY", b.String())
}

// section adds a module. A text that stands there already, of another module, is named.
func section(b *strings.Builder, given map[string]string, title, kind string, terms map[string]string) {
	fmt.Fprintf(b, "\n%s\n%s (%s)\n", strings.Repeat("=", 80), title, kind)
	for _, place := range slices.Sorted(maps.Keys(terms)) {
		text := terms[place]
		if earlier := given[text]; earlier != "" {
			fmt.Fprintf(b, "\n--- %s: word for word that of %s\n", place, earlier)
			continue
		}
		given[text] = title
		fmt.Fprintf(b, "\n--- %s\n\n%s\n", place, text)
	}
}

// What is under another licence is noticed.
func TestUnknownLicencesAreNoticed(t *testing.T) {
	for text, want := range map[string]string{
		"Eclipse Public License - v 1.0":        "",
		"GNU GENERAL PUBLIC LICENSE\nVersion 3": "",
		"Permission is hereby granted, free of charge, to any person obtaining a copy\n" +
			"The Software is provided to you under the License, subject to the Commons Clause": "",
		"  Apache License\n   Version 2.0, January 2004":                                "Apache-2.0",
		"Permission is hereby granted, free of charge, to any person\nobtaining a copy": "MIT",
	} {
		if got := kindOf(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}
