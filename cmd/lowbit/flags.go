package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strings"

	"github.com/lowbit-go/lowbit/quant"
)

// fileFlag is the name of a file; it is empty if the flag is not given.
type fileFlag string

// UnmarshalText reads the flag's value.
func (f *fileFlag) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		return errors.New("is empty, want the name of a file")
	}
	*f = fileFlag(text)
	return nil
}

// longestText is the greatest size of a spec or a recipe, in bytes.
const longestText = 1 << 24

// readFlagFile reads a spec or a recipe. The file may be a pipe, and so one without an end.
func readFlagFile(path string) (text []byte, err error) {
	f, err := os.Open(path)
	if err == nil {
		defer f.Close()
		text, err = io.ReadAll(io.LimitReader(f, longestText+1))
	}
	if err == nil && len(text) > longestText {
		err = fmt.Errorf("has more than %d bytes", longestText)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, withoutPath(err))
	}
	return text, nil
}

// specFlag is a spec: JSON, or the name of a file with it behind an @.
type specFlag struct {
	quant.Spec
	set bool
}

// specExample is what a spec looks like.
const specExample = `{"dtype":"int4","granularity":{"type":"per_block","axis":-1,"block_size":32}}`

// UnmarshalText reads the flag's value.
func (f *specFlag) UnmarshalText(text []byte) error {
	in := ""
	if name, ok := strings.CutPrefix(string(text), "@"); ok {
		if name == "" {
			return errors.New("is @, want the name of a file behind it")
		}
		content, err := readFlagFile(name)
		if err != nil {
			return err
		}
		text, in = content, name+": "
	}
	if !bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		return fmt.Errorf("%sis %.40q, want a spec in JSON, such as %s, or @FILE with one; quantize takes a preset's name by --preset", in, text, specExample)
	}
	spec, err := quant.ParseSpec(text)
	if err != nil {
		return fmt.Errorf("%s%w", in, plain(err))
	}
	f.Spec, f.set = spec, true
	return nil
}

// withoutPath drops what an error of package os has beside the reason.
func withoutPath(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// pattern is a regular expression that matches anywhere in a name.
type pattern struct{ *regexp.Regexp }

// UnmarshalText compiles the flag's value.
func (p *pattern) UnmarshalText(text []byte) (err error) {
	p.Regexp, err = regexp.Compile(string(text))
	return err
}
