// Package tensorfile is what the formats of files of tensors have in common: how one is opened and read by position, how one is written so
// that it appears whole or not at all, and how an error names the file and the tensor.
package tensorfile

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Text is an error's line: file and tensor, where they are known, and the reason.
func Text(file, tensor string, reason error) string {
	text := reason.Error()
	if tensor != "" {
		text = "tensor " + Quote(tensor) + ": " + text
	}
	if file == "" {
		return text
	}
	return printable(file) + ": " + text
}

// Quote makes a name from a file fit for a line of text: quoted, and cut where it is absurdly long.
func Quote(s string) string { return strconv.Quote(clip(s)) }

// printable leaves an ordinary path as it is and quotes one that would break the line.
func printable(path string) string {
	if strings.ContainsFunc(path, func(r rune) bool { return !strconv.IsPrint(r) || r == utf8.RuneError }) {
		return strconv.Quote(path)
	}
	return path
}

func clip(s string) string {
	const most = 200
	if len(s) <= most {
		return s
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "..."
}
