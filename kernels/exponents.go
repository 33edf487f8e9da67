package kernels

import (
	"math"
	"sync/atomic"

	"github.com/lowbit-go/lowbit/fp8"
)

// exponents is a rule for powers of two as a table. Whatever the rule, the byte of
// the scale grows with the largest magnitude, and by one step at most between two
// powers of two: so it is one or the other of two by a comparison.
type exponents struct {
	of     [256]exponent // by the exponent field of the magnitude
	scale  *[256]float32 // by the byte
	factor [256]float32
}

type exponent struct {
	last        uint32 // the bits of the last magnitude that has the lower byte
	lower, rest uint8
}

// e8m0Values are the values of the bytes.
var e8m0Values = func() (v [256]float32) {
	for b := range v {
		v[b] = fp8.E8M0(b).Float32()
	}
	v[255] = nan32
	return v
}()

// exponentTables are those that were needed so far, by format and rule.
var exponentTables [formatsEnd][2 * scaleRulesEnd]atomic.Pointer[exponents]

// exponentsOf returns the table of a method, if it does not depend on the tensor's type.
func exponentsOf(m *method, f Format) *exponents {
	at := int(m.rule)
	switch {
	case m.scales != ScaleE8M0:
		return nil
	case m.dialect == ModelOpt:
		at = int(scaleRulesEnd)
	case m.dialect != TorchAO:
		return nil
	}
	p := &exponentTables[f][at]
	if t := p.Load(); t != nil {
		return t
	}
	t := newExponents(m)
	p.Store(t)
	return t
}

func newExponents(m *method) *exponents {
	t := &exponents{scale: &e8m0Values}
	byteOf := func(bits uint32) uint8 {
		scale, _ := chooseE8M0[float32](m, math.Float32frombits(bits))
		if scale != scale {
			return 255
		}
		return uint8(fp8.E8M0FromFloat32(scale))
	}
	for field := range t.of {
		first, end := uint32(field)<<23, uint32(field+1)<<23-1
		e := exponent{end, byteOf(first), byteOf(end)}
		for lo := first; e.lower != e.rest && lo < e.last; { // lo has the lower byte, all above last the other
			if middle := lo + (e.last-lo+1)/2; byteOf(middle) == e.lower {
				lo = middle
			} else {
				e.last = middle - 1
			}
		}
		t.of[field] = e
	}
	for b := range t.factor {
		t.factor[b] = factorOfE8M0[float32](m, e8m0Values[b])
	}
	return t
}

// choose chooses the scales and factors of groups from their largest magnitudes,
// which may lie where the scales will be.
func (t *exponents) choose(scale, factor, most []float32) {
	scale, factor = scale[:len(most)], factor[:len(most)]
	for i, m := range most {
		bits := math.Float32bits(m)
		e := &t.of[bits>>23&255]
		b := e.lower
		if bits > e.last {
			b = e.rest
		}
		scale[i], factor[i] = t.scale[b], t.factor[b]
	}
}
