package quant

import (
	"fmt"
	"math"
	"slices"

	"github.com/lowbit-go/lowbit/internal/codeformat"
	"github.com/lowbit-go/lowbit/kernels"
)

// DType is the data type of the codes. The zero value is Int8.
type DType uint8

// The data types, by the reference's names int8, int4, ... In float4_e2m1fn_x2, x2 says that codes are stored in pairs.
const (
	Int8 DType = iota
	Int4
	Int2
	Uint8
	Uint4
	Uint2
	Float8E4M3FN
	Float8E5M2
	Float4E2M1FN
	Int6
	Uint6
	Int16
	Uint16
	Float6E2M3FN
	Float6E3M2FN
)

// rows says which row of the table of formats has a DType's codes where they take the least room.
var rows = [...]codeformat.ID{
	Int8: codeformat.Int8, Int4: codeformat.Int4, Int2: codeformat.Int2,
	Uint8: codeformat.Uint8, Uint4: codeformat.Uint4, Uint2: codeformat.Uint2,
	Float8E4M3FN: codeformat.E4M3FN, Float8E5M2: codeformat.E5M2, Float4E2M1FN: codeformat.E2M1Packed,
	Int6: codeformat.Int6, Uint6: codeformat.Uint6, Int16: codeformat.Int16, Uint16: codeformat.Uint16,
	Float6E2M3FN: codeformat.E2M3Packed, Float6E3M2FN: codeformat.E3M2Packed,
}

// dtypeInfo is what is known of a DType.
type dtypeInfo struct {
	name             string
	bits             int
	min, max         float64
	storage          DType
	float            bool
	packed, unpacked kernels.Format
}

// dtypes holds what is known of each DType, by its value.
var dtypes = func() (infos []dtypeInfo) {
	for d, id := range rows {
		row, unpacked := &codeformat.Rows[id], id.WholeBytes()
		info := dtypeInfo{row.DType, row.Bits, float64(row.Min), float64(row.Max), DType(d), row.Float != nil, kernels.Format(id), kernels.Format(unpacked)}
		if row.Float != nil {
			info.max = float64(row.Largest())
			info.min = -info.max
			if f := codeformat.Rows[unpacked].Float; f.As != 0 {
				unpacked = f.As
			}
		}
		if storage := slices.Index(rows[:], unpacked); storage >= 0 {
			info.storage = DType(storage)
		}
		infos = append(infos, info)
	}
	return infos
}()

// String returns the reference's name.
func (d DType) String() string { return enumName(d, dtypeNames) }

// Bits returns the size of a code in bits: 2, 4, 6, 8 or 16. It is 0 for a DType that there is not.
func (d DType) Bits() int { return d.info().bits }

// info is what is known of a DType: of one that there is not, that it is itself.
func (d DType) info() *dtypeInfo {
	if int(d) >= len(dtypes) {
		return &dtypeInfo{storage: d}
	}
	return &dtypes[d]
}

// IsFloat tells the float formats from the integers.
func (d DType) IsFloat() bool { return d.info().float }

// Storage returns the type in which unpacked codes are kept (the reference's target_dtype): Int8, Uint8, Int16 or Uint16 for integers,
// Float8E4M3FN for itself and Float4E2M1FN (every value of float4 is one of float8_e4m3fn), Float8E5M2 for itself, and so are the float6
// types, a code in a byte.
func (d DType) Storage() DType { return d.info().storage }

// Scheme says how the observed range becomes a scale and a zero point. The zero value is Symmetric.
type Scheme uint8

// The schemes.
const (
	Symmetric             Scheme = iota // the range is mirrored around zero
	Asymmetric                          // the range as observed, with zero in it; integers only
	SymmetricWithClipping               // Symmetric, and a signed quantized range loses its lowest code; integers only
)

// String returns the reference's name.
func (s Scheme) String() string { return enumName(s, schemeNames) }

// Formulation says how an integer code maps to a value. The zero value is ZP.
type Formulation uint8

// The formulations.
const (
	ZP     Formulation = iota // (q - zero_point) * scale
	MinVal                    // (q - quant_min) * scale + minval; integers only
)

// String returns the reference's name.
func (f Formulation) String() string { return enumName(f, formulationNames) }

// ScaleDType limits the values that a scale may take. The zero value is ScaleAny.
type ScaleDType uint8

// The kinds of scale.
const (
	ScaleAny      ScaleDType = iota // any value, in the tensor's own element type (null in JSON)
	ScaleE8M0                       // a power of two, as the OCP Microscaling formats have it: floats, and float4 always; int8 (MXINT8) if it is symmetric and zp
	ScaleFloat16                    // a float16; integers only
	ScaleBFloat16                   // a bfloat16; integers only
	ScaleE4M3FN                     // a float8_e4m3fn; float4 in blocks of 16 along the last axis (NVFP4)
)

// String returns the reference's name, null for ScaleAny.
func (s ScaleDType) String() string { return enumName(s, scaleDTypeNames) }

// Target is the kind of tensor that is quantized.
type Target uint8

// The targets.
const (
	Weight     Target = iota
	Activation        // blocks along one axis collapse all others; "default" is "moving_average"
	LUT               // a lookup table; treated as a weight
)

// String returns the reference's name.
func (t Target) String() string { return enumName(t, targetNames) }

// ParseTarget is the inverse of Target.String.
func ParseTarget(s string) (Target, error) { return parseEnum[Target]("target", s, targetNames) }

// The reference's names, by value.
var (
	dtypeNames = func() (s []string) { // in the order of dtypes
		for _, d := range dtypes {
			s = append(s, d.name)
		}
		return s
	}()
	schemeNames      = []string{"symmetric", "asymmetric", "symmetric_with_clipping"}
	formulationNames = []string{"zp", "minval"}
	scaleDTypeNames  = []string{"null", "float8_e8m0fnu", "float16", "bfloat16", "float8_e4m3fn"}
	targetNames      = []string{"weight", "activation", "lut"}
)

// aliases are other spellings that the reference takes.
var aliases = map[string]string{
	"float8_e4m3":   "float8_e4m3fn",
	"float4_e2m1fn": "float4_e2m1fn_x2",
	"float8_e8m0":   "float8_e8m0fnu",
}

func enumName[E ~uint8](e E, names []string) string {
	if int(e) < len(names) {
		return names[e]
	}
	return fmt.Sprintf("%T(%d)", e, uint8(e))
}

func parseEnum[E ~uint8](field, s string, names []string) (E, error) {
	name := s
	if full, ok := aliases[s]; ok {
		name = full
	}
	for i, n := range names {
		if n == name {
			return E(i), nil
		}
	}
	return 0, specError(field, s, oneOf(names))
}

// FloatRange fixes the range that parameters are computed from, at both ends, at one, or (the zero value) not at all.
// An end that is fixed is not observed; where both are, the parameters no longer move after the first forward pass.
type FloatRange struct {
	min, max       float64
	hasMin, hasMax bool
}

// FixedRange fixes both ends: min <= 0 <= max, min < max, both finite in float32.
func FixedRange(min, max float64) FloatRange { return FloatRange{min, max, true, true} }

// FixedMin fixes the lower end, min <= 0; the upper one is observed.
func FixedMin(min float64) FloatRange { return FloatRange{min: min, hasMin: true} }

// FixedMax fixes the upper end, max >= 0; the lower one is observed.
func FixedMax(max float64) FloatRange { return FloatRange{max: max, hasMax: true} }

// String prints the range as its JSON: [-1,null].
func (r FloatRange) String() string {
	b, err := r.MarshalJSON()
	if err != nil {
		return fmt.Sprintf("[%v,%v]", r.min, r.max)
	}
	return string(b)
}

// Fixed tells whether both ends are fixed. Then parameters are computed in float32, whatever the tensor is.
func (r FloatRange) Fixed() bool { return r.hasMin && r.hasMax }

func (r FloatRange) validate() error {
	finite := func(x float64) bool { return !math.IsNaN(x) && !math.IsInf(float64(float32(x)), 0) }
	switch {
	case r.hasMin && !finite(r.min), r.hasMax && !finite(r.max):
		return specError("float_range", r, "ends that are finite in float32")
	case r.hasMin && r.min > 0:
		return specError("float_range", r, "a lower end of at most 0")
	case r.hasMax && r.max < 0:
		return specError("float_range", r, "an upper end of at least 0")
	case r.Fixed() && r.min >= r.max:
		return specError("float_range", r, "a lower end below the upper one")
	}
	return nil
}

// Spec says how a tensor is quantized. The zero value is int8, symmetric, one scale for the whole tensor.
// A Spec is a value: it may be copied, and any number of quantizers made from it.
// Its JSON has the reference's names, given here in brackets; names of calculators are looked up in this package's registries.
type Spec struct {
	DType           DType       // [dtype]
	Scheme          Scheme      // [qscheme] float formats are Symmetric
	Formulation     Formulation // [qformulation] float formats are ZP
	Granularity     Granularity // [granularity] which elements share parameters
	FakeQuantize    Algorithm   // [fake_quantize_cls] "" is "default"; see RegisterQuantizeStep
	Calculator      Algorithm   // [qparam_calculator_cls] "" is "default"; see RegisterCalculator
	RangeCalculator Algorithm   // [range_calculator_cls] "" is "minmax"; see RegisterRangeCalculator
	FloatRange      FloatRange  // [float_range]
	ScaleDType      ScaleDType  // [scale_dtype] Float4E2M1FN and the float6 types have ScaleE8M0 without being told
	Dialect         Dialect     // [dialect] TorchAO is meant where a ScaleRule, a float6 type or ScaleE4M3FN is asked for
	ScaleRule       ScaleRule   // [scale_rule] of ScaleE8M0 with TorchAO
	GlobalScale     GlobalScale // [global_scale] of ScaleE4M3FN
}

// DefaultWeightSpec is the reference's default for weights: int8, symmetric, a scale per output channel (axis 0), static.
func DefaultWeightSpec() Spec {
	return Spec{Granularity: PerChannel(0), Calculator: Algorithm{Name: "static"}}
}

// DefaultActivationSpec is the reference's default for activations: int8, symmetric, one scale, moving average.
func DefaultActivationSpec() Spec {
	return Spec{Calculator: Algorithm{Name: "moving_average"}}
}

// QuantRange returns the quantized range, quant_min and quant_max: of n bits, [-2^(n-1), 2^(n-1)-1] signed (without the lowest
// with SymmetricWithClipping) and [0, 2^n-1] unsigned; of a float format, its finite range. They are 0 for a DType that there is not.
func (s Spec) QuantRange() (min, max float64) {
	return quantRange(s.DType, s.Scheme)
}

func quantRange(d DType, scheme Scheme) (min, max float64) {
	info := d.info()
	min, max = info.min, info.max
	if scheme == SymmetricWithClipping && min < 0 {
		min = -max
	}
	return min, max
}

// String prints the Spec as its JSON.
func (s Spec) String() string {
	b, err := s.MarshalJSON()
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// Validate reports the first field that is not allowed, as an *Error of kind ErrSpec.
func (s Spec) Validate() error {
	if err := s.validateCodes(); err != nil {
		return err
	}
	if err := s.Granularity.validate(); err != nil {
		return err
	}
	if err := s.FloatRange.validate(); err != nil {
		return err
	}
	s = s.resolved()
	if err := s.validateBlocks(); err != nil {
		return err
	}
	if s.Calculator.Name == "dynamic" {
		if s.Scheme == SymmetricWithClipping {
			return specError("qscheme", s.Scheme, "symmetric or asymmetric, as qparam_calculator_cls is dynamic; static takes the range of each tensor, too, and any qscheme")
		}
		if s.FloatRange != (FloatRange{}) {
			return specError("float_range", s.FloatRange, "[null,null], as qparam_calculator_cls is dynamic")
		}
	}
	_, err := s.algorithms(arithmeticOf[float32]())
	return err
}

// algorithms are what a Spec names.
type algorithms struct {
	quantize   QuantizeStep    // nil: the kernels
	calculator Calculator      // nil: each tensor by itself
	ranges     RangeCalculator // nil: the kernels
}

// algorithms makes the algorithms of a resolved spec.
func (s Spec) algorithms(e arithmetic) (a algorithms, err error) {
	if a.quantize, err = quantizeSteps.make(s.FakeQuantize, s, e); err != nil {
		return a, err
	}
	if a.calculator, err = calculators.make(s.Calculator, s, e); err != nil {
		return a, err
	}
	if a.ranges, err = rangeCalculators.make(s.RangeCalculator, s, e); err != nil {
		return a, err
	}
	if a.quantize == (formula{}) {
		a.quantize = nil
	}
	if a.calculator == (static{}) {
		a.calculator = nil
	}
	if a.ranges == (minMax{}) {
		a.ranges = nil
	}
	return a, nil
}

// validateNames is Validate for the fields whose values have names.
func (s Spec) validateNames() error {
	switch {
	case int(s.DType) >= len(dtypes):
		return specError("dtype", s.DType, oneOf(dtypeNames))
	case int(s.Scheme) >= len(schemeNames):
		return specError("qscheme", s.Scheme, oneOf(schemeNames))
	case int(s.Formulation) >= len(formulationNames):
		return specError("qformulation", s.Formulation, oneOf(formulationNames))
	case int(s.ScaleDType) >= len(scaleDTypeNames):
		return specError("scale_dtype", s.ScaleDType, oneOf(scaleDTypeNames))
	}
	return nil
}

// validateCodes is Validate for the fields that say what a code means.
func (s Spec) validateCodes() error {
	if err := s.validateNames(); err != nil {
		return err
	}
	if s.DType.IsFloat() {
		if s.Scheme != Symmetric {
			return specErrorAs("qscheme", s.Scheme, "symmetric", "dtype", s.DType)
		}
		if s.Formulation != ZP {
			return specErrorAs("qformulation", s.Formulation, "zp", "dtype", s.DType)
		}
		if s.ScaleDType == ScaleFloat16 || s.ScaleDType == ScaleBFloat16 {
			return s.scaleError()
		}
	} else if s.ScaleDType == ScaleE8M0 {
		switch {
		case s.DType != Int8:
			return s.scaleError()
		case s.Scheme != Symmetric:
			return specErrorAs("qscheme", s.Scheme, "symmetric", "scale_dtype", s.ScaleDType)
		case s.Formulation != ZP:
			return specErrorAs("qformulation", s.Formulation, "zp", "scale_dtype", s.ScaleDType)
		}
	}
	return s.resolved().validateDialect()
}

// scaleError says which types of scales a data type has.
func (s Spec) scaleError() error {
	want := "null, float16 or bfloat16"
	switch {
	case s.DType == Float4E2M1FN:
		want = "null, float8_e8m0fnu or float8_e4m3fn"
	case s.DType.IsFloat():
		want = "null or float8_e8m0fnu"
	case s.DType == Int8:
		want = "null, float8_e8m0fnu, float16 or bfloat16"
	}
	return specErrorAs("scale_dtype", s.ScaleDType, want, "dtype", s.DType)
}

// validateFor is Validate, and holds s against the target.
func (s Spec) validateFor(t Target) error {
	if err := s.Validate(); err != nil {
		return err
	}
	if int(t) >= len(targetNames) {
		return specError("target", t, oneOf(targetNames))
	}
	if s.Calculator.Name == "dynamic" && t != Activation {
		return specError("qparam_calculator_cls", s.Calculator.Name, "another calculator, as target is "+t.String()+" and dynamic is for activations")
	}
	return nil
}

// resolvedFor is resolved, and names the calculator that is the default for a target.
func (s Spec) resolvedFor(t Target) Spec {
	s = s.resolved()
	if s.Calculator.Name == "default" {
		s.Calculator.Name = "static"
		if t == Activation {
			s.Calculator.Name = "moving_average"
		}
	}
	return s
}

// Resolved returns the Spec with what its zero values stand for, the calculator of a target aside: that depends on the target.
func (s Spec) Resolved() Spec { return s.resolved() }

// resolved fills in what a zero value stands for, the calculator of a target aside.
func (s Spec) resolved() Spec {
	fill := func(a *Algorithm, name string) {
		if a.Name == "" {
			a.Name = name
		}
	}
	fill(&s.FakeQuantize, "default")
	fill(&s.Calculator, "default")
	fill(&s.RangeCalculator, "minmax")
	s.resolveDialect()
	return s
}
