package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/lowbit-go/lowbit/checkpoint"
	"github.com/lowbit-go/lowbit/quant"
	"github.com/lowbit-go/lowbit/safetensors"
)

// choice says what becomes of which tensor: one of the three is given.
type choice struct {
	Preset presetFlag `placeholder:"NAME" help:"How to quantize matrices of weights, by name: lowbit presets lists them."`
	Spec   specFlag   `placeholder:"JSON" help:"How to quantize floating-point tensors of any rank: JSON, or @FILE."`
	Recipe recipeFlag `placeholder:"FILE" help:"How to quantize which tensors: a JSON list of {\"match\": RE, \"preset\": NAME} or \"spec\": {...} or \"keep\": true. The first that matches decides."`
}

// check makes sure that exactly one is given, and that it is for weights.
func (c *choice) check() error {
	given := 0
	for _, set := range []bool{c.Preset.name != "", c.Spec.set, c.Recipe.set} {
		if set {
			given++
		}
	}
	switch {
	case given == 0:
		return usagef("want --preset NAME, --spec JSON or --recipe FILE")
	case given > 1:
		return usagef("--preset, --spec and --recipe: want one of them")
	}
	if c.Spec.set {
		if _, err := quant.New[float32](c.Spec.Spec, quant.Weight); err != nil {
			return usagef("--spec: %w", plain(err))
		}
	}
	return nil
}

// way is how a tensor is quantized.
type way struct {
	spec quant.Spec
	pack bool
	name string // of the preset
}

// keptByPresets matches what presets leave alone: norms, embeddings, the head and the routers of mixtures of experts.
var keptByPresets = regexp.MustCompile(`norm|embed|lm_head|router|gate\.weight`)

// of returns how a tensor is quantized; nil if it is kept.
func (c *choice) of(info safetensors.Info, s *selection) *way {
	if !checkpoint.Quantizable(info.DType) || !s.selects(info.Name) {
		return nil
	}
	switch {
	case c.Recipe.set:
		for i := range c.Recipe.rules {
			if r := &c.Recipe.rules[i]; r.match.MatchString(info.Name) {
				return r.way
			}
		}
		return nil
	case c.Spec.set:
		return &way{spec: c.Spec.Spec}
	}
	if info.Shape.Rank() != 2 {
		return nil
	}
	if s.none() && (!strings.HasSuffix(info.Name, "weight") || keptByPresets.MatchString(info.Name)) {
		return nil
	}
	return &c.Preset.way
}

// presetFlag is a preset, by name.
type presetFlag struct{ way }

// UnmarshalText reads the flag's value.
func (f *presetFlag) UnmarshalText(text []byte) (err error) {
	w, err := preset(string(text))
	if err == nil {
		f.way = *w
	}
	return err
}

// preset finds a preset.
func preset(name string) (*way, error) {
	spec, err := quant.Preset(name)
	if err != nil {
		return nil, fmt.Errorf("is %q, want one of those that lowbit presets lists: %s", name, strings.Join(quant.Presets(), " "))
	}
	return &way{spec: spec, pack: true, name: name}, nil
}

// recipeFlag is a recipe, by the name of its file.
type recipeFlag struct {
	rules []rule
	set   bool
}

// rule says what becomes of the tensors whose name matches.
type rule struct {
	match *regexp.Regexp
	way   *way // nil: they are kept
}

// UnmarshalText reads the flag's value, and the file that it names.
func (f *recipeFlag) UnmarshalText(text []byte) error {
	path := string(text)
	if path == "" {
		return errors.New("is empty, want the name of a file")
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("%s: %w", path, withoutPath(err))
	}
	if f.rules, err = parseRecipe(content); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	f.set = true
	return nil
}

// parseRecipe reads a recipe, in which nothing may be left over or given twice.
func parseRecipe(text []byte) ([]rule, error) {
	var entries []json.RawMessage
	if err := json.Unmarshal(text, &entries); err != nil {
		return nil, fmt.Errorf(`is no JSON list of {"match": RE, "preset": NAME} and their like: %w`, err)
	}
	rules := make([]rule, len(entries))
	for i, entry := range entries {
		if err := rules[i].parse(entry); err != nil {
			return nil, fmt.Errorf("rule %d: %w", i+1, err)
		}
	}
	return rules, nil
}

func (r *rule) parse(text []byte) error {
	fields, err := objectFields(text)
	if err != nil {
		return err
	}
	said := ""
	for _, f := range fields {
		var s string
		var err error
		switch f.name {
		case "match":
			if err = json.Unmarshal(f.value, &s); err == nil {
				r.match, err = regexp.Compile(s)
			}
		case "preset", "spec", "keep":
			if said != "" {
				return fmt.Errorf("%s: %s is given too, want one of them", f.name, said)
			}
			said = f.name
			err = r.parseWay(f)
		default:
			return fmt.Errorf("%q is not a field, want match and preset, spec or keep", f.name)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", f.name, plain(err))
		}
	}
	if r.match == nil {
		return errors.New("match is missing")
	}
	if said == "" {
		return errors.New("want preset, spec or keep")
	}
	return nil
}

func (r *rule) parseWay(f objectField) error {
	switch f.name {
	case "preset":
		var name string
		if err := json.Unmarshal(f.value, &name); err != nil {
			return err
		}
		w, err := preset(name)
		r.way = w
		return err
	case "spec":
		spec, err := quant.ParseSpec(f.value)
		if err == nil {
			_, err = quant.New[float32](spec, quant.Weight)
		}
		r.way = &way{spec: spec}
		return err
	}
	if string(f.value) != "true" {
		return fmt.Errorf("is %s, want true", f.value)
	}
	return nil
}

// objectField is a member of a JSON object.
type objectField struct {
	name  string
	value json.RawMessage
}

// objectFields reads an object, in which no key may be given twice.
func objectFields(text []byte) (fields []objectField, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("is not an object")
	}
	seen := map[string]bool{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		f := objectField{name: key.(string)}
		if seen[f.name] {
			return nil, fmt.Errorf("%q is given twice", f.name)
		}
		seen[f.name] = true
		if err := d.Decode(&f.value); err != nil {
			return nil, err
		}
		fields = append(fields, f)
	}
	if _, err := d.Token(); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return fields, nil
}

// selection says which tensors are quantized.
type selection struct {
	Include pattern `placeholder:"RE" help:"Only tensors whose name matches."`
	Exclude pattern `placeholder:"RE" help:"No tensors whose name matches."`
}

// none tells whether nothing is said.
func (s *selection) none() bool { return s.Include.Regexp == nil && s.Exclude.Regexp == nil }

// selects tells whether a tensor of that name is selected.
func (s *selection) selects(name string) bool {
	return (s.Include.Regexp == nil || s.Include.MatchString(name)) && (s.Exclude.Regexp == nil || !s.Exclude.MatchString(name))
}
