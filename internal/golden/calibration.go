package golden

import (
	"embed"
	"encoding/json"
	"fmt"
)

//go:embed testdata/calibration
var calibration embed.FS

// CalibrationCase is a result of a search for a range, a histogram, a learned
// scale or stochastic rounding, with what it was computed from.
type CalibrationCase struct {
	File   string          `json:"file"`
	Name   string          `json:"name"`
	Kind   string          `json:"kind"`
	Params json.RawMessage `json:"params"`

	tensors map[string]Tensor
}

// Calibration returns the cases of a kind.
func Calibration(kind string) ([]CalibrationCase, error) {
	data, err := calibration.ReadFile("testdata/calibration/cases.json")
	if err != nil {
		return nil, err
	}
	var all, cases []CalibrationCase
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, fmt.Errorf("calibration/cases.json: %w", err)
	}
	files := map[string]map[string]Tensor{}
	for _, c := range all {
		if c.Kind != kind {
			continue
		}
		if files[c.File] == nil {
			name := "testdata/calibration/" + c.File + ".safetensors"
			data, err := calibration.ReadFile(name)
			if err != nil {
				return nil, err
			}
			if files[c.File], err = parse(name, data); err != nil {
				return nil, err
			}
		}
		c.tensors = files[c.File]
		cases = append(cases, c)
	}
	if len(cases) == 0 {
		return nil, fmt.Errorf("calibration: no cases of kind %s", kind)
	}
	return cases, nil
}

// Tensor returns a tensor of the case by its field's name.
func (c CalibrationCase) Tensor(field string) Tensor { return c.named(c.Name + "." + field) }

// Input returns an input that several cases share.
func (c CalibrationCase) Input(name string) Tensor { return c.named("in." + name) }

// Of returns a tensor of another case of the same file.
func (c CalibrationCase) Of(name, field string) Tensor { return c.named(name + "." + field) }

func (c CalibrationCase) named(name string) Tensor {
	t, ok := c.tensors[name]
	if !ok {
		panic("golden: calibration/" + c.File + " has no " + name)
	}
	return t
}
