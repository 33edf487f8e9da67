package checkpoint

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/lowbit-go/lowbit/safetensors"
)

// Names of files that say how weights are quantized.
const (
	configFile     = "config.json"
	gptqConfigFile = "quantize_config.json" // of GPTQ checkpoints without quantization_config
)

// quantizationKey is config.json's key for how the weights are quantized.
const quantizationKey = "quantization_config"

// olderKey is what compressed-tensors called it once, without a quant_method in it.
const olderKey = "compression_config"

// config is what config.json says.
type config struct {
	path  string // "" if there is none
	text  []byte
	dtype safetensors.DType // of the model, 0 if it is not said
	quant *quantConfig      // nil if the weights are not quantized
}

// quantConfig is how the weights are quantized.
type quantConfig struct {
	path   string // of the file that says so
	Method string `json:"quant_method"`

	// compressed-tensors
	Format       string                     `json:"format"`
	ConfigGroups map[string]*ctGroup        `json:"config_groups"`
	Ignore       []string                   `json:"ignore"`
	Sparsity     map[string]json.RawMessage `json:"sparsity_config"`
	Transform    map[string]json.RawMessage `json:"transform_config"`

	// fp8
	WeightBlockSize []int  `json:"weight_block_size"`
	Fmt             string `json:"fmt"`

	// gptq and awq
	Bits             int    `json:"bits"`
	GroupSize        int    `json:"group_size"`
	DescAct          bool   `json:"desc_act"`
	CheckpointFormat string `json:"checkpoint_format"`
	Marlin           bool   `json:"is_marlin_format"`
	Version          string `json:"version"`
	ZeroPoint        *bool  `json:"zero_point"`
}

// ctGroup is how compressed-tensors quantizes the modules that its targets name.
type ctGroup struct {
	Format  string   `json:"format"`
	Targets []string `json:"targets"`
	Weights *ctArgs  `json:"weights"`
}

// ctArgs is how compressed-tensors quantizes a tensor.
type ctArgs struct {
	NumBits        int    `json:"num_bits"`
	Type           string `json:"type"`
	Symmetric      *bool  `json:"symmetric"`
	Strategy       string `json:"strategy"`
	GroupSize      *int   `json:"group_size"`
	BlockStructure []int  `json:"block_structure"`
	ActOrder       any    `json:"actorder"`
}

// symmetric tells whether there are no zero points.
func (a *ctArgs) symmetric() bool { return a.Symmetric == nil || *a.Symmetric }

// readConfig reads the config.json of a folder, if there is one.
func (d disk) readConfig(folder string) (*config, error) {
	c := &config{path: filepath.Join(folder, configFile)}
	text, err := d.readJSON(c.path)
	if err != nil {
		return nil, err
	}
	if text == nil {
		c.path = ""
	} else {
		c.text = text
		var top struct {
			DType      any             `json:"dtype"`
			TorchDType any             `json:"torch_dtype"`
			Quant      json.RawMessage `json:"quantization_config"`
			Older      json.RawMessage `json:"compression_config"`
			Text       struct {
				DType      any             `json:"dtype"`
				TorchDType any             `json:"torch_dtype"`
				Quant      json.RawMessage `json:"quantization_config"`
				Older      json.RawMessage `json:"compression_config"`
			} `json:"text_config"`
		}
		if err := json.Unmarshal(text, &top); err != nil {
			return nil, inFile(c.path, plainJSON(err))
		}
		for _, name := range []any{top.DType, top.TorchDType, top.Text.DType, top.Text.TorchDType} {
			if c.dtype == 0 {
				c.dtype = torchDType(name)
			}
		}
		for i, raw := range []json.RawMessage{top.Quant, top.Text.Quant, top.Older, top.Text.Older} {
			if c.quant == nil && len(raw) > 0 && string(raw) != "null" {
				if c.quant, err = parseQuantConfig(c.path, raw); err != nil {
					return nil, err
				}
				if older := i >= 2; older && c.quant.Method == "" {
					c.quant.Method = methodCT
				}
			}
		}
	}
	if c.quant == nil {
		path := filepath.Join(folder, gptqConfigFile)
		if text, err = d.readJSON(path); err != nil || text == nil {
			return c, err
		}
		if c.quant, err = parseQuantConfig(path, text); err != nil {
			return nil, err
		}
		if c.quant.Method == "" {
			c.quant.Method = methodGPTQ
		}
	}
	return c, nil
}

// readJSON reads a file that holds a JSON object; nil if there is none.
func (d disk) readJSON(path string) ([]byte, error) {
	text, err := d.readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, inFile(path, err)
	}
	if is := tell(text[:min(len(text), 512)]); is != isJSON {
		if why, known := refused[is]; known {
			return nil, inFile(path, errors.New(why))
		}
		return nil, inFile(path, errors.New("is no JSON object"))
	}
	text = pythonNumber.ReplaceAllFunc(text, func(token []byte) []byte {
		if quoted, ok := pythonNumbers[string(token)]; ok {
			return []byte(quoted)
		}
		return token
	})
	if err := noTwins(text); err != nil {
		return nil, inFile(path, err)
	}
	return text, nil
}

// pythonNumbers are numbers that Python writes and reads, and JSON lacks. They are strings of these here, so that a config.json with them,
// as models of Mamba's kind have it, can be read and edited.
var pythonNumbers = map[string]string{"NaN": `"\u0000NaN"`, "Infinity": `"\u0000Infinity"`, "-Infinity": `"\u0000-Infinity"`}

// pythonNumber matches the strings, words and numbers of JSON.
var pythonNumber = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|[-+.\w]+(?:\s*:)?`)

// restoreNumbers undoes what readJSON did to such numbers.
func restoreNumbers(text []byte) []byte {
	for number, quoted := range pythonNumbers {
		text = bytes.ReplaceAll(text, []byte(quoted), []byte(number))
	}
	return text
}

func parseQuantConfig(path string, raw []byte) (*quantConfig, error) {
	q := &quantConfig{path: path}
	if err := json.Unmarshal(raw, q); err != nil {
		return nil, inFile(path, fmt.Errorf("%s: %w", quantizationKey, plainJSON(err)))
	}
	for name, g := range q.ConfigGroups {
		if g == nil {
			return nil, inFile(path, fmt.Errorf("%s: config_groups.%s is null", quantizationKey, name))
		}
	}
	return q, nil
}

// torchDType parses torch's name of an element type; 0 if it is none that a model is computed in.
func torchDType(name any) safetensors.DType {
	s, _ := name.(string)
	switch strings.TrimPrefix(s, "torch.") {
	case "float32", "float":
		return safetensors.F32
	case "float16", "half":
		return safetensors.F16
	case "bfloat16":
		return safetensors.BF16
	}
	return 0
}

// plainJSON makes an error of package json speak of JSON instead of Go.
func plainJSON(err error) error {
	var typeError *json.UnmarshalTypeError
	if errors.As(err, &typeError) {
		return fmt.Errorf("%s is a JSON %s, want another type", cmp.Or(typeError.Field, "the whole"), typeError.Value)
	}
	return errors.New(strings.TrimPrefix(err.Error(), "json: "))
}
