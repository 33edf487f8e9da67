package quant

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// ParseSpec reads a Spec from JSON, an object with the reference's constructor arguments; those left out have their defaults.
// The fields that the reference computes (n_bits, target_dtype, _quant_range, quant_min, quant_max) are checked if they are there.
// An unknown field, a field named twice, and text behind the object are errors, as is all that Validate refuses.
func ParseSpec(data []byte) (Spec, error) {
	var s Spec
	fields, err := object("spec", data)
	if err != nil {
		return Spec{}, err
	}
	var computed []field
	for _, f := range fields {
		var err error
		switch f.name {
		case "dtype":
			s.DType, err = enumField[DType](f, dtypeNames)
		case "qscheme":
			s.Scheme, err = enumField[Scheme](f, schemeNames)
		case "qformulation":
			s.Formulation, err = enumField[Formulation](f, formulationNames)
		case "granularity":
			s.Granularity, err = parseGranularity(f.value)
		case "fake_quantize_cls":
			s.FakeQuantize, err = parseAlgorithm(f)
		case "qparam_calculator_cls":
			s.Calculator, err = parseAlgorithm(f)
		case "range_calculator_cls":
			s.RangeCalculator, err = parseAlgorithm(f)
		case "float_range":
			s.FloatRange, err = parseFloatRange(f)
		case "scale_dtype":
			s.ScaleDType, err = choiceField[ScaleDType](f, scaleDTypeNames)
		case "dialect":
			s.Dialect, err = choiceField[Dialect](f, dialectNames)
		case "scale_rule":
			s.ScaleRule, err = choiceField[ScaleRule](f, scaleRuleNames)
		case "global_scale":
			s.GlobalScale, err = parseGlobalScale(f)
		case "n_bits", "target_dtype", "_quant_range", "quant_min", "quant_max":
			computed = append(computed, f)
		default:
			err = &Error{ErrSpec, f.name, "not a field", "dtype, qscheme, qformulation, granularity, fake_quantize_cls, qparam_calculator_cls, range_calculator_cls, float_range, scale_dtype, dialect, scale_rule or global_scale"}
		}
		if err != nil {
			return Spec{}, err
		}
	}
	if err := s.Validate(); err != nil {
		return Spec{}, err
	}
	for _, f := range computed {
		if err := s.checkComputed(f); err != nil {
			return Spec{}, err
		}
	}
	return s, nil
}

// checkComputed holds a field that follows from the others against them.
func (s Spec) checkComputed(f field) error {
	min, max := s.QuantRange()
	var got, want any
	switch f.name {
	case "n_bits":
		got, want = new(float64), float64(s.DType.Bits())
	case "target_dtype":
		name, err := stringField(f)
		if err != nil {
			return err
		}
		d, err := parseEnum[DType](f.name, name, dtypeNames)
		if err != nil || d != s.DType.Storage() {
			return f.error(fmt.Sprintf("%v, as dtype is %v", s.DType.Storage(), s.DType))
		}
		return nil
	case "_quant_range":
		got, want = new([]float64), []float64{min, max}
	case "quant_min":
		got, want = new(float64), min
	case "quant_max":
		got, want = new(float64), max
	}
	err := json.Unmarshal(f.value, got)
	switch got := got.(type) {
	case *float64:
		if err == nil && !f.null() && *got == want {
			return nil
		}
	case *[]float64:
		if err == nil && len(*got) == 2 && (*got)[0] == min && (*got)[1] == max {
			return nil
		}
	}
	return f.error(fmt.Sprintf("%v, as dtype is %v and qscheme %v", want, s.DType, s.Scheme))
}

// UnmarshalJSON is ParseSpec.
func (s *Spec) UnmarshalJSON(data []byte) error {
	parsed, err := ParseSpec(data)
	if err == nil {
		*s = parsed
	}
	return err
}

// MarshalJSON writes all constructor arguments by the reference's names, defaults too. What has no name is an ErrSpec.
func (s Spec) MarshalJSON() ([]byte, error) {
	if err := s.validateNames(); err != nil {
		return nil, err
	}
	s = s.resolved()
	var scale any
	if s.ScaleDType != ScaleAny {
		scale = s.ScaleDType.String()
	}
	return json.Marshal(struct {
		DType           string      `json:"dtype"`
		Scheme          string      `json:"qscheme"`
		Formulation     string      `json:"qformulation"`
		Granularity     Granularity `json:"granularity"`
		FakeQuantize    Algorithm   `json:"fake_quantize_cls"`
		Calculator      Algorithm   `json:"qparam_calculator_cls"`
		RangeCalculator Algorithm   `json:"range_calculator_cls"`
		FloatRange      FloatRange  `json:"float_range"`
		ScaleDType      any         `json:"scale_dtype"`
		Dialect         string      `json:"dialect,omitempty"`
		ScaleRule       string      `json:"scale_rule,omitempty"`
		GlobalScale     any         `json:"global_scale,omitempty"`
	}{s.DType.String(), s.Scheme.String(), s.Formulation.String(), s.Granularity, s.FakeQuantize, s.Calculator, s.RangeCalculator, s.FloatRange, scale,
		unlessNull(s.Dialect.String()), unlessNull(s.ScaleRule.String()), globalScaleJSON(s.GlobalScale)})
}

// unlessNull is a name, or "" for the one that stands for nothing.
func unlessNull(name string) string {
	if name == "null" {
		return ""
	}
	return name
}

// globalScaleJSON is what a Spec has in its JSON, nil where nothing is said.
func globalScaleJSON(g GlobalScale) any {
	if g == GlobalDefault {
		return nil
	}
	return g == GlobalOn
}

func parseGlobalScale(f field) (GlobalScale, error) {
	switch string(f.value) {
	case "null":
		return GlobalDefault, nil
	case "false":
		return GlobalOff, nil
	case "true":
		return GlobalOn, nil
	}
	return 0, f.error("true, false or null")
}

// choiceField is enumField for names of which null is the first, and no string.
func choiceField[E ~uint8](f field, names []string) (E, error) {
	if f.null() {
		return 0, nil
	}
	e, err := enumField[E](f, names)
	if err == nil && e == 0 {
		err = f.error(oneOf(names))
	}
	return e, err
}

// MarshalJSON writes two numbers or nulls.
func (r FloatRange) MarshalJSON() ([]byte, error) {
	var ends [2]any
	if r.hasMin {
		ends[0] = r.min
	}
	if r.hasMax {
		ends[1] = r.max
	}
	return json.Marshal(ends)
}

func parseFloatRange(f field) (FloatRange, error) {
	const want = "a list of two numbers or nulls"
	var ends []*float64
	if err := json.Unmarshal(f.value, &ends); err != nil || len(ends) != 2 {
		return FloatRange{}, f.error(want)
	}
	var r FloatRange
	if ends[0] != nil {
		r.min, r.hasMin = *ends[0], true
	}
	if ends[1] != nil {
		r.max, r.hasMax = *ends[1], true
	}
	return r, nil
}

// granularityNames are the types of granularity; per_block is both PerBlock and PerBlocks.
var granularityNames = []string{"per_tensor", "per_channel", "per_block"}

// MarshalJSON writes the reference's form: {"type":"per_block","axis":1,"block_size":32}.
func (g Granularity) MarshalJSON() ([]byte, error) {
	out := struct {
		Type      string `json:"type"`
		Axis      *int   `json:"axis,omitempty"`
		BlockSize any    `json:"block_size,omitempty"`
		Partial   bool   `json:"partial,omitempty"`
	}{Type: granularityNames[min(g.kind, perBlock)], Partial: g.partial}
	switch g.kind {
	case perChannel:
		out.Axis = &g.axis
	case perBlock:
		out.Axis, out.BlockSize = &g.axis, g.size
	case perBlocks:
		out.BlockSize = append([]int{}, g.sizes...) // [] rather than null
	}
	return json.Marshal(out)
}

func parseGranularity(data []byte) (g Granularity, err error) {
	fields, err := object("granularity", data)
	if err != nil {
		return g, err
	}
	var kind string
	var axis, size *field
	for _, f := range fields {
		plain := f.name
		f.name = "granularity." + plain
		switch plain {
		case "type":
			if kind, err = stringField(f); err != nil {
				return g, err
			}
		case "axis":
			axis = &f
		case "block_size":
			size = &f
		case "partial":
			if f.null() || json.Unmarshal(f.value, &g.partial) != nil {
				return g, f.error("true or false")
			}
		default:
			return g, &Error{ErrSpec, f.name, "not a field", "type, axis, block_size or partial"}
		}
	}
	if axis != nil && !axis.null() {
		if json.Unmarshal(axis.value, &g.axis) != nil {
			return g, axis.error("an integer")
		}
	} else {
		axis = nil
	}
	if size != nil && kind != "per_block" {
		return g, size.error("none, as type is " + kind)
	}
	needsAxis, why := true, "type is "+kind
	switch kind {
	case "per_tensor":
		needsAxis = false
	case "per_channel":
		g.kind = perChannel
	case "per_block":
		const want = "a positive integer, or a list with one for each axis, -1 for a whole one"
		switch {
		case size == nil:
			return g, &Error{ErrSpec, "granularity.block_size", "not given", want}
		case json.Unmarshal(size.value, &g.size) == nil && !size.null():
			g.kind = perBlock
		case json.Unmarshal(size.value, &g.sizes) == nil && !size.null():
			g.kind, needsAxis, why = perBlocks, false, "block_size is a list"
		default:
			return g, size.error(want)
		}
	default:
		return g, specError("granularity.type", kind, oneOf(granularityNames))
	}
	switch {
	case needsAxis && axis == nil:
		return g, &Error{ErrSpec, "granularity.axis", "not given", "an integer, as " + why}
	case !needsAxis && axis != nil:
		return g, axis.error("null, as " + why)
	}
	return g, nil
}

// field is a member of a JSON object.
type field struct {
	name  string
	value json.RawMessage
}

func (f field) null() bool { return string(f.value) == "null" }

func (f field) error(want string) error {
	return &Error{ErrSpec, f.name, string(f.value), want}
}

func stringField(f field) (string, error) {
	var s string
	if json.Unmarshal(f.value, &s) != nil || s == "" {
		return "", f.error("a name in quotes")
	}
	return s, nil
}

func enumField[E ~uint8](f field, names []string) (E, error) {
	s, err := stringField(f)
	if err != nil {
		return 0, f.error(oneOf(names))
	}
	return parseEnum[E](f.name, s, names)
}

// within names a field of an object in an error: those of a spec go by their own names.
func within(what, field string) string {
	if what == "spec" {
		return field
	}
	return what + "." + field
}

// object reads a JSON object and nothing else. Unlike encoding/json it takes no name twice, and none in another case.
func object(what string, data []byte) ([]field, error) {
	malformed := func(err error) error {
		found := err.Error()
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			found = "cut short"
		}
		return &Error{ErrSpec, what, "malformed (" + found + ")", "a JSON object"}
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	if tok, err := dec.Token(); err == io.EOF {
		return nil, &Error{ErrSpec, what, "empty", "a JSON object"}
	} else if err != nil {
		return nil, malformed(err)
	} else if tok != json.Delim('{') {
		return nil, &Error{ErrSpec, what, fmt.Sprintf("%.40s", bytes.TrimSpace(data)), "a JSON object"}
	}
	var fields []field
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return nil, malformed(err)
		}
		f := field{name: tok.(string)} // the decoder lets nothing else be a name
		for _, other := range fields {
			if other.name == f.name {
				return nil, &Error{ErrSpec, within(what, f.name), "given twice", "each field once"}
			}
		}
		if err := dec.Decode(&f.value); err != nil {
			return nil, malformed(err)
		}
		fields = append(fields, f)
	}
	if _, err := dec.Token(); err != nil { // the closing brace
		return nil, malformed(err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, &Error{ErrSpec, what, "followed by more text", "one JSON object alone"}
	}
	return fields, nil
}
