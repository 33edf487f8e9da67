package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"

	"github.com/lowbit-go/lowbit/quant"
	"github.com/lowbit-go/lowbit/safetensors"
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

// specFlag is a spec: JSON, or the name of a file with it behind an @.
type specFlag struct{ quant.Spec }

// UnmarshalText reads the flag's value.
func (f *specFlag) UnmarshalText(text []byte) error {
	in := ""
	if name, ok := strings.CutPrefix(string(text), "@"); ok {
		if name == "" {
			return errors.New("is @, want the name of a file behind it")
		}
		content, err := os.ReadFile(name)
		if err != nil {
			if e, ok := errors.AsType[*fs.PathError](err); ok {
				err = e.Err
			}
			return fmt.Errorf("%s: %w", name, err)
		}
		text, in = content, name+": "
	}
	spec, err := quant.ParseSpec(text)
	if err != nil {
		return fmt.Errorf("%s%w", in, plain(err))
	}
	f.Spec = spec
	return nil
}

// pattern is a regular expression that matches anywhere in a name.
type pattern struct{ *regexp.Regexp }

// UnmarshalText compiles the flag's value.
func (p *pattern) UnmarshalText(text []byte) (err error) {
	p.Regexp, err = regexp.Compile(string(text))
	return err
}

// selection says which tensors are quantized.
type selection struct {
	Include pattern `placeholder:"RE" help:"Only tensors whose name matches."`
	Exclude pattern `placeholder:"RE" help:"No tensors whose name matches."`
}

// selects tells whether a tensor is to be quantized. The parameters of tensors that are quantized already never are.
func (s *selection) selects(info safetensors.Info, earlier records) bool {
	return floating(info.DType) && !earlier.parameter(info.Name) &&
		(s.Include.Regexp == nil || s.Include.MatchString(info.Name)) &&
		(s.Exclude.Regexp == nil || !s.Exclude.MatchString(info.Name))
}

// floating tells the types that can be quantized.
func floating(t safetensors.DType) bool {
	return t == safetensors.F32 || t == safetensors.F16 || t == safetensors.BF16
}
