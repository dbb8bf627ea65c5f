package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// editors are the variables that editors give their servers, and that mean nothing
// here: there is no workspace and no dialog.
var editors = []string{"workspaceFolder", "workspaceFolderBasename", "workspaceRoot", "workspaceRootFolderName", "file", "fileBasename",
	"fileBasenameNoExtension",
	"fileDirname", "fileDirnameBasename", "fileExtname", "fileWorkspaceFolder", "relativeFile", "relativeFileDirname", "cwd", "execPath",
	"selectedText", "lineNumber",
	"defaultBuildTask", "__dirname"}

// expand replaces the variables of a text: ${NAME} and ${env:NAME}, each with an
// optional default as ${NAME:-default}, ${userHome}, ${pathSeparator} and ${/}. $${
// stands for ${. What it cannot replace is an error that names it.
func expand(text string, environment func(string) (string, bool)) (string, error) {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(text, "${")
		if !found {
			out.WriteString(text)
			return out.String(), nil
		}
		if kept, escaped := strings.CutSuffix(before, "$"); escaped {
			out.WriteString(kept + "${")
			text = rest
			continue
		}
		end := closing(rest)
		if end < 0 {
			return "", errors.New("has a ${ without its }; write $${ where ${ is meant as it stands") // what follows may be a secret
		}
		value, err := variable(rest[:end], environment)
		if err != nil {
			return "", err
		}
		out.WriteString(before + value)
		text = rest[end+1:]
	}
}

// closing is where the variable ends whose text begins after its ${; -1 is nowhere.
func closing(text string) int {
	depth := 1
	for i := 0; i < len(text); i++ {
		switch {
		case strings.HasPrefix(text[i:], "${"):
			depth++
		case text[i] == '}':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// variable is the value of what stands between ${ and }.
func variable(text string, environment func(string) (string, bool)) (string, error) {
	whole, instead, hasDefault := strings.Cut(text, ":-")
	prefix, name, prefixed := strings.Cut(whole, ":")
	switch {
	case !prefixed:
		name = whole
	case prefix != "env":
		return "", fmt.Errorf("${%s} is a variable of another program and has no value here; write the value itself, or ${NAME} for a "+
			"variable of the environment", shortened(whole))
	}
	if !isVariableName(name) && name != "/" {
		return "", fmt.Errorf("${%s} is no variable; write ${NAME} or ${NAME:-default} for one of the environment, and $${ where ${ is "+
			"meant as it stands", shortened(whole))
	}
	if value, set := environment(name); set {
		return value, nil
	}
	switch {
	case hasDefault:
		return expand(instead, environment)
	case prefixed:
	case name == "userHome":
		return home(environment)
	case name == "pathSeparator", name == "/":
		return string(filepath.Separator), nil
	case slices.Contains(editors, name):
		return "", fmt.Errorf("${%s} is a variable of an editor and has no value here; write the path itself", name)
	}
	return "", fmt.Errorf("the environment variable %s is not set; set it where the proxy is started, or write ${%s:-default}", name, whole)
}

// home is the directory of this user, as the environment says it.
func home(environment func(string) (string, bool)) (string, error) {
	for _, name := range []string{"HOME", "USERPROFILE"} {
		if value, set := environment(name); set && value != "" {
			return value, nil
		}
	}
	return "", errors.New("the home directory is not known, as the environment variable HOME is not set; write the path itself")
}

func isVariableName(text string) bool {
	for i, c := range text {
		letter := c == '_' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return text != ""
}

// shortened is a name for a message.
func shortened(text string) string {
	const most = 40
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "..."
	}
	return text
}
