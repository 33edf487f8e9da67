package gguf

import (
	"errors"
	"fmt"

	"github.com/lowbit-go/lowbit/internal/outfile"
	"github.com/lowbit-go/lowbit/internal/tensorfile"
)

// Error says which file, which tensor and why. Its text is one line:
//
//	model.gguf: tensor "output.weight": 4096 bytes at 1048576 reach past the data's 1050000 bytes
type Error struct {
	File   string // as the caller named it
	Tensor string // "" if no single tensor is to blame
	Err    error
}

func (e *Error) Error() string { return tensorfile.Text(e.File, e.Tensor, e.Err) }

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
	if e.File == "" {
		e.File = file
	}
	return e
}
