package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/lowbit-go/lowbit/checkpoint"
	"github.com/lowbit-go/lowbit/gguf"
	"github.com/lowbit-go/lowbit/internal/quantizers"
	"github.com/lowbit-go/lowbit/quant"
)

// What quantize writes.
const (
	toLowbit = "lowbit"
	toGGUF   = "gguf"
	toCT     = "compressed-tensors"
)

// choice says what becomes of which tensor: one of the three is given.
type choice struct {
	Preset string     `placeholder:"NAME" help:"How to quantize matrices of weights, by name: lowbit presets lists them."`
	Spec   specFlag   `placeholder:"JSON" help:"How to quantize floating-point tensors of any rank: JSON, or @FILE."`
	Recipe recipeFlag `placeholder:"FILE" help:"How to quantize which tensors: a JSON list of {\"match\": RE, \"preset\": NAME} or \"spec\": {...} or \"keep\": true. The first that matches decides."`
}

// check makes sure that exactly one is given, and that there is such a thing.
func (c *choice) check() error {
	given := 0
	for _, set := range []bool{c.Preset != "", c.Spec.set, c.Recipe.set} {
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
		if err := quantizers.Check(c.Spec.Spec, quant.Weight); err != nil {
			return usagef("--spec: %w", plain(err))
		}
	}
	if c.Preset != "" && len(readers(c.Preset)) == 0 {
		return usagef("--preset: %w", noPreset(c.Preset))
	}
	return nil
}

// noPreset says that there is no preset of that name.
func noPreset(name string) error {
	return fmt.Errorf("is %q, want one of those that lowbit presets lists: %s", name, strings.Join(allPresets(), " "))
}

// allPresets lists the presets, whatever they write to.
func allPresets() (names []string) {
	names = slices.Concat(quant.Presets(), checkpoint.CompressedTensorsPresets(), ggufPresets())
	slices.Sort(names)
	return slices.Compact(names)
}

// readers lists what a preset of that name can be written to.
func readers(preset string) (to []string) {
	if slices.Contains(quant.Presets(), preset) {
		to = append(to, toLowbit)
	}
	if slices.Contains(checkpoint.CompressedTensorsPresets(), preset) {
		to = append(to, toCT)
	}
	if slices.Contains(ggufPresets(), preset) {
		to = append(to, toGGUF)
	}
	return to
}

// ggufPresets are the names of the presets of package gguf.
func ggufPresets() (names []string) {
	for _, p := range gguf.Presets() {
		names = append(names, p.Name)
	}
	return names
}

// to is what is written unless that is said: what is read by the preset, or by the first of a recipe that is for nothing of Lowbit's own.
func (c *choice) to() string {
	presets := []string{c.Preset}
	for _, r := range c.Recipe.rules {
		presets = append(presets, r.preset)
	}
	for _, p := range presets {
		if to := readers(p); p != "" && to[0] != toLowbit {
			return to[0]
		}
	}
	return toLowbit
}

// wants makes sure that a preset can be written to what is wanted.
func wants(preset, to string) error {
	if !slices.Contains(readers(preset), to) {
		return fmt.Errorf("%q is not a preset of %s, see lowbit presets", preset, to)
	}
	return nil
}

// forLowbit says how a tensor is quantized to Lowbit's own layout.
func (c *choice) forLowbit(s *selection, pack bool) (func(t *checkpoint.Tensor) *checkpoint.Choice, error) {
	preset := func(name string) (*checkpoint.Choice, error) {
		if err := wants(name, toLowbit); err != nil {
			return nil, err
		}
		spec, err := quant.Preset(name)
		return &checkpoint.Choice{Spec: spec, Pack: true}, err
	}
	switch {
	case c.Spec.set:
		choice := &checkpoint.Choice{Spec: c.Spec.Spec, Pack: pack}
		return func(t *checkpoint.Tensor) *checkpoint.Choice {
			if s.selects(t.Name()) {
				return choice
			}
			return nil
		}, nil
	case c.Recipe.set:
		choices := make([]*checkpoint.Choice, len(c.Recipe.rules))
		for i, r := range c.Recipe.rules {
			var err error
			switch {
			case r.preset != "":
				choices[i], err = preset(r.preset)
			case !r.keep:
				choices[i] = &checkpoint.Choice{Spec: r.spec, Pack: pack}
			}
			if err != nil {
				return nil, usagef("--recipe: rule %d: %w", i+1, err)
			}
		}
		return func(t *checkpoint.Tensor) *checkpoint.Choice {
			if i := c.Recipe.find(t.Name()); i >= 0 && s.selects(t.Name()) {
				return choices[i]
			}
			return nil
		}, nil
	}
	choice, err := preset(c.Preset)
	if err != nil {
		return nil, usagef("--preset: %w", err)
	}
	return func(t *checkpoint.Tensor) *checkpoint.Choice {
		if s.names().TakesMatrix(t) {
			return choice
		}
		return nil
	}, nil
}

// forCT says by which preset compressed-tensors are made, and of which tensors.
func (c *choice) forCT(s *selection) (preset string, selected func(t *checkpoint.Tensor) bool, err error) {
	if c.Preset != "" {
		if err := wants(c.Preset, toCT); err != nil {
			return "", nil, usagef("--preset: %w", err)
		}
		return c.Preset, s.names().TakesMatrix, nil
	}
	if c.Spec.set {
		return "", nil, usagef("--spec: compressed-tensors are made by --preset or --recipe")
	}
	for i, r := range c.Recipe.rules {
		switch {
		case r.keep:
			continue
		case r.preset == "":
			return "", nil, usagef("--recipe: rule %d: spec: compressed-tensors are made by presets", i+1)
		case preset != "" && preset != r.preset:
			return "", nil, usagef("--recipe: rule %d: is for %s, but another for %s: a compressed-tensors checkpoint has one of them", i+1, r.preset, preset)
		}
		if err := wants(r.preset, toCT); err != nil {
			return "", nil, usagef("--recipe: rule %d: %w", i+1, err)
		}
		preset = r.preset
	}
	if preset == "" {
		return "", nil, usagef("--recipe: no rule names a preset")
	}
	return preset, func(t *checkpoint.Tensor) bool {
		i := c.Recipe.find(t.Name())
		return i >= 0 && !c.Recipe.rules[i].keep && s.selects(t.Name())
	}, nil
}

// recipeFlag is a recipe, by the name of its file.
type recipeFlag struct {
	rules []rule
	text  string
	set   bool
}

// rule says what becomes of the tensors whose name matches.
type rule struct {
	match  *regexp.Regexp
	preset string     // one of the three
	spec   quant.Spec // if the others are not given
	keep   bool
}

// find returns the number of the rule for a tensor, -1 if there is none.
func (f *recipeFlag) find(name string) int {
	return slices.IndexFunc(f.rules, func(r rule) bool { return r.match.MatchString(name) })
}

// UnmarshalText reads the flag's value, and the file that it names.
func (f *recipeFlag) UnmarshalText(text []byte) error {
	path := string(text)
	if path == "" {
		return errors.New("is empty, want the name of a file")
	}
	content, err := readFlagFile(path)
	if err != nil {
		return err
	}
	if f.rules, err = parseRecipe(content); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	f.text, f.set = string(content), true
	return nil
}

// parseRecipe reads a recipe, in which nothing may be left over or given twice.
func parseRecipe(text []byte) ([]rule, error) {
	var entries []json.RawMessage
	err := json.Unmarshal(text, &entries)
	if err == nil && entries == nil {
		err = errors.New("is null")
	}
	if err != nil {
		return nil, fmt.Errorf(`is no JSON list of {"match": RE, "preset": NAME} and their like: %w`, plain(err))
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
			if err = json.Unmarshal(f.value, &s); err == nil && string(f.value) == "null" {
				err = errors.New("is null, want a regular expression")
			}
			if err == nil {
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

func (r *rule) parseWay(f objectField) (err error) {
	switch f.name {
	case "preset":
		if err := json.Unmarshal(f.value, &r.preset); err != nil {
			return err
		}
		if len(readers(r.preset)) == 0 {
			return noPreset(r.preset)
		}
		return nil
	case "spec":
		if r.spec, err = quant.ParseSpec(f.value); err == nil {
			err = quantizers.Check(r.spec, quant.Weight)
		}
		return err
	}
	if r.keep = string(f.value) == "true"; !r.keep {
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

// names is the selection as package checkpoint has it.
func (s *selection) names() checkpoint.Selection {
	return checkpoint.Selection{Include: s.Include.Regexp, Exclude: s.Exclude.Regexp}
}

// selects tells whether a tensor of that name is selected.
func (s *selection) selects(name string) bool { return s.names().Takes(name) }
