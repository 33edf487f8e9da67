package safetensors

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/lowbit-go/lowbit/internal/outfile"
)

// Error says which file, which tensor and why. Its text is one line:
//
//	model.safetensors: tensor "w": data_offsets [0, 16] reach past the data's 8 bytes
type Error struct {
	File   string // as the caller named it
	Tensor string // "" if no single tensor is to blame
	Err    error
}

func (e *Error) Error() string {
	text := e.Err.Error()
	if e.Tensor != "" {
		text = "tensor " + quote(e.Tensor) + ": " + text
	}
	if e.File == "" {
		return text
	}
	return printable(e.File) + ": " + text
}

// Unwrap gives the reason, so that errors.Is finds fs.ErrNotExist, io.ErrUnexpectedEOF and their like.
func (e *Error) Unwrap() error { return e.Err }

func errorf(tensor, format string, args ...any) *Error {
	return &Error{Tensor: tensor, Err: fmt.Errorf(format, args...)}
}

// inFile names the file in an error that does not name one yet.
func inFile(file string, err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		e = &Error{Err: outfile.Reason(err)}
	}
	e.File = file
	return e
}

// quote makes a name from a file fit for a line of text: quoted, and cut where it is absurdly long.
func quote(s string) string { return strconv.Quote(clip(s)) }

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
