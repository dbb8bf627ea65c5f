package config

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/tailscale/hujson"
)

// ErrInvalid is matched by every error about a file's content.
var ErrInvalid = errors.New("the configuration is not valid")

// Error says where in a file something is wrong.
type Error struct {
	File string
	// Line and Column are where it stands, from 1 on; 0 where that is not known.
	Line, Column int
	// Path in the document, as mcpServers.name.key.
	Path    string
	Problem string
	// Upstream is the one whose entry it is in, if it is in one.
	Upstream string
}

func (e *Error) Error() string {
	text := e.File
	if e.Line > 0 {
		text += fmt.Sprintf(":%d:%d", e.Line, e.Column)
	}
	if e.Path != "" {
		text += ": " + e.Path
	}
	return text + ": " + e.Problem
}

// Is makes errors.Is(err, ErrInvalid) hold.
func (e *Error) Is(target error) bool { return target == ErrInvalid }

// source is a document's text, with the name of the file that has it.
type source struct {
	file string
	text []byte
	// read is what the file has, in whatever encoding.
	read []byte
}

// problem is what is wrong at an offset of the text; a negative one is not known.
func (s *source) problem(offset int, path, text string) *Error {
	e := &Error{File: s.file, Path: path, Problem: text}
	if offset >= 0 && len(s.text) > 0 {
		before := s.text[:min(offset, len(s.text))]
		e.Line = 1 + bytes.Count(before, []byte("\n"))
		e.Column = 1 + utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
	}
	return e
}

func (s *source) blank() bool { return len(bytes.TrimSpace(s.text)) == 0 }

var parserPlace = regexp.MustCompile(`^hujson: line (\d+), column (\d+): (?:parsing [a-z ]+: )?`)

// parse reads JSON, also with comments and trailing commas.
func (s *source) parse() (*hujson.Value, error) {
	v, err := hujson.Parse(s.text)
	if err == nil {
		return &v, nil
	}
	if s.blank() {
		return nil, &Error{File: s.file, Problem: "the file is empty; " + whole}
	}
	e := &Error{File: s.file, Problem: "the document ends before it is complete; " + whole}
	place := parserPlace.FindStringSubmatch(err.Error())
	if place != nil {
		e.Line, _ = strconv.Atoi(place[1]) // the pattern has digits
		e.Column, _ = strconv.Atoi(place[2])
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) && place != nil {
		e.Problem = err.Error()[len(place[0]):] + "; " + whole
	}
	return nil, e
}

// plain is a text in UTF-8, without the mark that some editors put before it: they
// write UTF-16 too.
func plain(text []byte) []byte {
	switch {
	case bytes.HasPrefix(text, []byte{0xef, 0xbb, 0xbf}):
		return text[3:]
	case bytes.HasPrefix(text, []byte{0xff, 0xfe}):
		return fromUTF16(text[2:], binary.LittleEndian)
	case bytes.HasPrefix(text, []byte{0xfe, 0xff}):
		return fromUTF16(text[2:], binary.BigEndian)
	case len(text) >= 2 && text[0] != 0 && text[1] == 0:
		return fromUTF16(text, binary.LittleEndian)
	case len(text) >= 2 && text[0] == 0 && text[1] != 0:
		return fromUTF16(text, binary.BigEndian)
	}
	return text
}

func fromUTF16(text []byte, order binary.ByteOrder) []byte {
	units := make([]uint16, len(text)/2)
	for i := range units {
		units[i] = order.Uint16(text[2*i:])
	}
	return []byte(string(utf16.Decode(units)))
}
