package beam

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/lowbit-go/lowbit/checkpoint"
	"github.com/lowbit-go/lowbit/quant"
	"github.com/lowbit-go/lowbit/safetensors"
)

// Job is all that a worker has to know. It travels as JSON. It holds no credentials: the libraries of the storage find those.
type Job struct {
	Do      string // one of Kinds
	In, Out string // paths, or URLs: file:///folder, s3://bucket/prefix?region=..., gs://, azblob://, mem://name/prefix. Out of compare and calibrate is a file
	Preset  string `json:",omitempty"` // to quantize: this, or Spec
	Spec    string `json:",omitempty"` // JSON; to calibrate, ranges, histogram or importance too
	To      string `json:",omitempty"` // lowbit or compressed-tensors; by default what the preset is for
	Pack    bool   `json:",omitempty"` // codes of less than a byte, by a Spec
	DType   string `json:",omitempty"` // to dequantize: f32, f16 or bf16, else the model's
	Include string `json:",omitempty"` // regular expressions of tensors' names
	Exclude string `json:",omitempty"`
	Dim     int    `json:",omitempty"` // numbers of a vector

	NonFinite string `json:",omitempty"` // what becomes of a NaN or an infinity in what is quantized: warn, as by default, or error

	Piece   int64 // bytes of a piece
	Span    int   // pieces that go through the engine as one element
	Workers int   // pieces of an element that a bundle does at a time; 0 stands for the processors that a worker has
	Restart bool  `json:",omitempty"` // what an earlier run has left is not taken up

	Against string `json:",omitempty"` // to compare: the checkpoint that is held against In

	Input  []File `json:",omitempty"` // what was there when the job began
	Second []File `json:",omitempty"` // and in Against
}

// The jobs that there are.
const (
	quantize   = "quantize"
	dequantize = "dequantize"
	toCompare  = "compare"
	toState    = "calibrate"
	toRecords  = "vectors"
)

// What quantize writes.
const (
	toLowbit = "lowbit"
	toCT     = "compressed-tensors"
)

// What becomes of what is not finite.
const (
	warn   = "warn"
	refuse = "error"
)

// Kinds are the jobs that there are.
var Kinds = []string{quantize, dequantize, toCompare, toState, toRecords}

// Check tells what a job lacks.
func (j *Job) Check() error {
	switch {
	case !slices.Contains(Kinds, j.Do):
		return fmt.Errorf("job is %q, want one of %s", j.Do, strings.Join(Kinds, ", "))
	case j.In == "" || j.Out == "":
		return errors.New("want an input and an output")
	case j.Piece < 1<<10 || j.Piece > 1<<30:
		return fmt.Errorf("pieces are of %d bytes, want 1 KiB to 1 GiB", j.Piece)
	case j.Span < 1:
		return fmt.Errorf("%d pieces to an element, want 1 or more", j.Span)
	case !slices.Contains([]string{"", toLowbit, toCT}, j.To):
		return fmt.Errorf("to is %q, want %s or %s", j.To, toLowbit, toCT)
	case !slices.Contains([]string{"", warn, refuse}, j.NonFinite):
		return fmt.Errorf("non-finite is %q, want %s or %s", j.NonFinite, warn, refuse)
	case j.Do == quantize && (j.Preset == "") == (j.Spec == ""):
		return errors.New("want a preset or a spec, and one of them")
	}
	switch j.Do {
	case toCompare:
		if j.Against == "" {
			return errors.New("want a second checkpoint, to compare with")
		}
		return nil
	case toState:
		return j.checkCalibration()
	case toRecords:
		return j.checkVectors()
	}
	_, err := j.conversion(nil)
	return err
}

// workers is how many pieces are done at a time.
func (j *Job) workers() int {
	if j.Workers > 0 {
		return j.Workers
	}
	return runtime.GOMAXPROCS(0)
}

// selection is what Include and Exclude say.
func (j *Job) selection() (s checkpoint.Selection, err error) {
	if j.Include != "" {
		if s.Include, err = regexp.Compile(j.Include); err != nil {
			return s, fmt.Errorf("include: %w", err)
		}
	}
	if j.Exclude != "" {
		if s.Exclude, err = regexp.Compile(j.Exclude); err != nil {
			return s, fmt.Errorf("exclude: %w", err)
		}
	}
	return s, nil
}

// conversion is the job as package checkpoint has it. It tells nonFinite of what is not finite, unless that is nil.
func (j *Job) conversion(nonFinite func(t *checkpoint.Tensor, nans, infinities, first int) error) (checkpoint.Job, error) {
	s, err := j.selection()
	if err != nil {
		return nil, err
	}
	if j.Do == dequantize {
		d := checkpoint.Dequantization{Name: s.String()}
		if !s.None() {
			d.Select = func(t *checkpoint.Tensor) bool { return s.Takes(t.Name()) }
		}
		if j.DType != "" {
			if d.DType, err = safetensors.ParseDType(strings.ToUpper(j.DType)); err != nil || !checkpoint.Quantizable(d.DType) {
				return nil, fmt.Errorf("dtype is %q, want f32, f16 or bf16", j.DType)
			}
		}
		return d, nil
	}
	name := fmt.Sprintf("preset %q spec %s pack %v non-finite %s %s", j.Preset, j.Spec, j.Pack, j.NonFinite, s)
	known := slices.Concat(quant.Presets(), checkpoint.CompressedTensorsPresets())
	if j.Preset != "" && !slices.Contains(known, j.Preset) {
		slices.Sort(known)
		return nil, fmt.Errorf("preset is %q, want one of %s", j.Preset, strings.Join(slices.Compact(known), ", "))
	}
	to := j.To
	if to == "" && j.Preset != "" && !slices.Contains(quant.Presets(), j.Preset) {
		to = toCT
	}
	if to == toCT {
		if j.Spec != "" {
			return nil, errors.New("compressed-tensors are made by presets: want no spec")
		}
		return checkpoint.NewCompressedTensors(j.Preset, s.TakesMatrix, name)
	}
	choice, takes := &checkpoint.Choice{Pack: j.Pack}, func(t *checkpoint.Tensor) bool { return s.Takes(t.Name()) }
	if j.Spec != "" {
		if choice.Spec, err = quant.ParseSpec([]byte(j.Spec)); err == nil {
			_, err = quant.New[float32](choice.Spec, quant.Weight)
		}
	} else {
		choice.Pack, takes = true, s.TakesMatrix
		choice.Spec, err = quant.Preset(j.Preset)
	}
	if err != nil {
		return nil, err
	}
	return &checkpoint.Quantization{Name: name, NonFinite: nonFinite, Choose: func(t *checkpoint.Tensor) *checkpoint.Choice {
		if takes(t) {
			return choice
		}
		return nil
	}}, nil
}

// pack is what goes through the engine: bytes to it. A struct would become a schema row, which Java runners decode, and not as Go encodes it.
func pack(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // names and numbers
	}
	return b
}

func unpack[T any](b []byte) (v T, err error) {
	err = json.Unmarshal(b, &v)
	return v, err
}
