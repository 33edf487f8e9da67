package quant

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/x448/float16"
)

// State is a quantizer's state, to be kept in a file: tensors by the reference's names, so that either reads the other's.
//
//	fake_quant_enabled              U8 [1]    the switches
//	observer_enabled                U8 [1]
//	_disabled                       BOOL []
//	qparams_calculator.scale        F32       the parameters, shaped as Params.Shape, [0] before the first pass
//	qparams_calculator.zero_point   I32       integers only
//	qparams_calculator.minval       F32       integers only
//	qparams_calculator.global_scale F32 []    where there is one
//	qparams_calculator.factor       F32       what elements are multiplied with, where it does not follow from the scale: with the dialects
//	                                          Transformers, and CompressedTensors with powers of two
//	qparams_calculator.running_min  T         the ranges that the parameters come from, if the calculator keeps them;
//	qparams_calculator.running_max  T         F32 if both ends are fixed, and before the first pass
//
// The qparams_calculator tensors are not there with a dynamic calculator. What a user's own calculator keeps for itself is not in it, nor are
// export mode and the step of a QATSchedule (see SetSchedule).
type State map[string]StateTensor

// StateTensor is a tensor of a State: its type by its name in safetensors, its shape, its little-endian data.
type StateTensor struct {
	DType string
	Shape []int
	Data  []byte
}

// calculatorPrefix is the name of the calculator within the reference's module.
const calculatorPrefix = "qparams_calculator."

// StateNames returns the names of all tensors that a State may have, whatever the spec, for whoever has to find them among others in a file.
func StateNames() []string {
	names := []string{"fake_quant_enabled", "observer_enabled", "_disabled"}
	for _, name := range []string{
		"scale", "global_scale", "factor", "zero_point", "minval", "running_min", "running_max", histogramKeys, histogramCounts, histogramNaN,
	} {
		names = append(names, calculatorPrefix+name)
	}
	return names
}

// stateNames are the elements' names.
var stateNames = [...]string{elementF32: "F32", elementF16: "F16", elementBF16: "BF16"}

// State returns a copy of the quantizer's state.
func (q *FakeQuantizer[T]) State() State {
	q.mu.RLock()
	defer q.mu.RUnlock()
	flag := func(on bool) []byte {
		if on {
			return []byte{1}
		}
		return []byte{0}
	}
	s := State{
		"fake_quant_enabled": {"U8", []int{1}, flag(q.fakeQuantOn)},
		"observer_enabled":   {"U8", []int{1}, flag(q.observerOn)},
		"_disabled":          {"BOOL", []int{}, flag(q.disabled.Load())},
	}
	o := &q.observer
	if o.dynamic {
		return s
	}
	p, running, ranges := Params{Shape: []int{0}}, elementF32, []Range(nil)
	if o.observed {
		p, running, ranges = o.params, o.element, o.running
	}
	add := func(name string, e element, values func(yield func(float32) bool)) {
		data := []byte{}
		for v := range values {
			data = e.appendBits(data, v)
		}
		s[calculatorPrefix+name] = StateTensor{stateNames[e], copyShape(nil, p.Shape), data}
	}
	add("scale", elementF32, slices.Values(p.Scale))
	if q.format.global {
		s[calculatorPrefix+"global_scale"] = StateTensor{stateNames[elementF32], []int{}, elementF32.appendBits(nil, p.Global)}
	}
	if q.format.factors() {
		add("factor", elementF32, slices.Values(p.factor))
	}
	if !q.format.dtype.IsFloat() {
		zero := []byte{}
		for _, z := range p.ZeroPoint {
			zero = binary.LittleEndian.AppendUint32(zero, uint32(z))
		}
		s[calculatorPrefix+"zero_point"] = StateTensor{"I32", copyShape(nil, p.Shape), zero}
		add("minval", elementF32, slices.Values(p.MinVal))
	}
	if o.calculator != nil {
		add("running_min", running, func(yield func(float32) bool) {
			for _, r := range ranges {
				yield(r.Min)
			}
		})
		add("running_max", running, func(yield func(float32) bool) {
			for _, r := range ranges {
				yield(r.Max)
			}
		})
		if b := o.histogram(); b != nil {
			b.addTo(s)
		}
	}
	return s
}

// LoadState puts a state in the place of the quantizer's own, which then goes on as the saved one would have: with a QATSchedule,
// after SetSchedule has been told the step. A tensor that is
// missing, unknown, or of another type, shape or range than it can have is an ErrState, and leaves the quantizer as it was.
// Given parameters are never replaced: ErrFixed.
func (q *FakeQuantizer[T]) LoadState(s State) error {
	if q == nil {
		return missing("FakeQuantizer")
	}
	q.lock()
	defer q.mu.Unlock()
	if q.given {
		return &Error{ErrFixed, "state", "loaded", "none, as the parameters are given"}
	}
	o := &q.observer
	l := stateLoader{left: maps.Clone(s)}
	fakeQuantOn := l.flag("fake_quant_enabled", "U8", []int{1})
	observerOn := l.flag("observer_enabled", "U8", []int{1})
	disabled := l.flag("_disabled", "BOOL", []int{})
	var p Params
	var ranges []Range
	var counted histogram
	observed := false
	if o.dynamic {
		if !observerOn {
			l.fail("observer_enabled", "0", "1, as the calculator is dynamic")
		}
	} else {
		scale := l.peek("scale")
		p.Shape = copyShape(nil, scale.Shape)
		observed = !slices.Equal(p.Shape, []int{0})
		p.Scale = l.floats("scale", elementF32, p.Shape)
		if q.format.global {
			if g := l.floats("global_scale", elementF32, []int{}); len(g) == 1 {
				p.Global = g[0]
			}
		}
		if q.format.factors() {
			p.factor = l.floats("factor", elementF32, p.Shape)
		}
		if !q.format.dtype.IsFloat() {
			for _, bits := range l.words("zero_point", "I32", 4, p.Shape) {
				p.ZeroPoint = append(p.ZeroPoint, int32(bits))
			}
			p.MinVal = l.floats("minval", elementF32, p.Shape)
		}
		if o.calculator != nil {
			e := o.element
			if !observed {
				e = elementF32
			}
			low, high := l.floats("running_min", e, p.Shape), l.floats("running_max", e, p.Shape)
			if l.err == nil {
				for i := range low {
					ranges = append(ranges, Range{low[i], high[i]})
				}
			}
			if o.histogram() != nil {
				counted = l.histogram(o.element, ranges)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.left)) {
		l.fail(name, "in the state", "not there, as the quantizer's spec has no such tensor")
	}
	if l.err == nil && observed {
		l.err = stateError(p.check(&q.format, stated, 0))
	}
	if l.err != nil {
		return l.err
	}
	q.fakeQuantOn, q.observerOn = fakeQuantOn, observerOn
	q.disabled.Store(disabled)
	o.params, o.running, o.observed = p, ranges, observed
	if b := o.histogram(); b != nil {
		b.histogram = counted
	}
	return nil
}

// stateError names the state's tensors in an error of Params.check.
func stateError(err error) error {
	var e *Error
	if errors.As(err, &e) {
		e.Kind = ErrState
		e.Field = strings.NewReplacer("Params.Scale", calculatorPrefix+"scale", "Params.ZeroPoint", calculatorPrefix+"zero_point",
			"Params.MinVal", calculatorPrefix+"minval", "Params.Global", calculatorPrefix+"global_scale",
			"Params.Shape", "the shape of "+calculatorPrefix+"scale").Replace(e.Field)
	}
	return err
}

// stateLoader takes tensors out of a state, and keeps the first error.
type stateLoader struct {
	left State
	err  error
}

func (l *stateLoader) fail(name, value, want string) {
	if l.err == nil {
		l.err = &Error{ErrState, name, value, want}
	}
}

// take returns the data of a tensor that has to have that type and shape.
func (l *stateLoader) take(name, dtype string, size int, shape []int) []byte {
	t, ok := l.left[name]
	delete(l.left, name)
	n, err := elements(name, "", shape)
	switch want := dtype + " " + shapeString(shape); {
	case !ok:
		l.fail(name, "missing", want)
	case err != nil, t.DType != dtype, !slices.Equal(t.Shape, shape):
		l.fail(name, t.DType+" "+shapeString(t.Shape), want)
	case len(t.Data)%size != 0, len(t.Data)/size != n:
		l.fail(name, fmt.Sprintf("%d bytes long", len(t.Data)), fmt.Sprintf("%d of %d bytes, as it is %s", n, size, want))
	default:
		return t.Data
	}
	return nil
}

func (l *stateLoader) flag(name, dtype string, shape []int) bool {
	b := l.take(name, dtype, 1, shape)
	if len(b) == 1 && b[0] > 1 {
		l.fail(name, fmt.Sprint(b[0]), "0 or 1")
	}
	return len(b) == 1 && b[0] == 1
}

// peek returns one of the calculator's tensors, whose shape is that of all others.
func (l *stateLoader) peek(name string) StateTensor { return l.left[calculatorPrefix+name] }

// words returns the elements' bits of one of the calculator's tensors.
func (l *stateLoader) words(name, dtype string, size int, shape []int) []uint32 {
	var words []uint32
	for b := l.take(calculatorPrefix+name, dtype, size, shape); len(b) > 0; b = b[size:] {
		if size == 2 {
			words = append(words, uint32(binary.LittleEndian.Uint16(b)))
		} else {
			words = append(words, binary.LittleEndian.Uint32(b))
		}
	}
	return words
}

func (l *stateLoader) floats(name string, e element, shape []int) []float32 {
	size := 2
	if e == elementF32 {
		size = 4
	}
	var values []float32
	for _, bits := range l.words(name, stateNames[e], size, shape) {
		values = append(values, e.fromBits(bits))
	}
	return values
}

// appendBits appends a value of the element type, little-endian.
func (e element) appendBits(b []byte, v float32) []byte {
	switch e {
	case elementF16:
		return binary.LittleEndian.AppendUint16(b, float16.Fromfloat32(v).Bits())
	case elementBF16:
		return binary.LittleEndian.AppendUint16(b, uint16(bf16.FromFloat32(v)))
	}
	return binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
}

// fromBits is the inverse of appendBits.
func (e element) fromBits(bits uint32) float32 {
	switch e {
	case elementF16:
		return float16.Frombits(uint16(bits)).Float32()
	case elementBF16:
		return bf16.BFloat16(bits).Float32()
	}
	return math.Float32frombits(bits)
}
