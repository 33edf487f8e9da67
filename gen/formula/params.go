package formula

import (
	"math"

	"github.com/lowbit-go/lowbit/gen/ir"
)

// params chooses parameters from ranges, with groups as lanes. Results are
// rounded to the tensor's element type, operation by operation; all but the
// type make no difference to 1/scale, which is for the elements' division.
func params(t tensor) []*ir.Kernel {
	scale := ir.New("params", "ParamsScale", `sets scale = max(most/half, 2^-23), rounded to the element type, and recip = Prepare's.
most is the largest magnitude of a group, half the value of the greatest code, or half the number of steps.`, Elems.Of(t.name))
	t.scale(scale, scale.Load("most", ir.MemF32), scale.Word("half", ir.MemF32))

	symmetric := ir.New("params", "ParamsSymmetric", `is ParamsScale, and sets zeroPoint = middle and minval = 0-most.`, Elems.Of(t.name))
	half, middle := symmetric.Word("half", ir.MemF32), symmetric.Word("middle", ir.MemI32)
	most := symmetric.Load("most", ir.MemF32)
	t.scale(symmetric, most, half)
	symmetric.Store("zeroPoint", ir.MemI32, middle)
	symmetric.Store("minval", ir.MemF32, oneNaN(symmetric, symmetric.Const(0).Sub(most)))

	asymmetric := ir.New("params", "ParamsAsymmetric", `sets, with min and max widened to hold zero, scale = max((max-min)/steps, 2^-23),
recip = Prepare's, zeroPoint = min(max(least - round(min/scale), least), greatest), or 0 if that is NaN, and minval = min.
Each operation is rounded to the element type.`, Elems.Of(t.name))
	k := asymmetric
	steps, least, greatest := k.Word("steps", ir.MemF32), k.Word("least", ir.MemF32), k.Word("greatest", ir.MemF32)
	zero := k.Const(0)
	lo, hi := k.Load("min", ir.MemF32).Min(zero), k.Load("max", ir.MemF32).Max(zero)
	s := t.scale(k, t.round(k, hi.Sub(lo)), steps)
	below := t.round(k, t.round(k, lo.Div(s)).Round())
	z := t.round(k, least.Sub(below)).Max(least).Min(greatest)
	k.Store("zeroPoint", ir.MemI32, z.Ordered().Keep(z).ToInt())
	k.Store("minval", ir.MemF32, oneNaN(k, lo.Add(zero)))
	return []*ir.Kernel{scale, symmetric, asymmetric}
}

// scale stores max(width/steps, 2^-23) and its reciprocal.
func (t tensor) scale(k *ir.Kernel, width, steps *ir.Node) *ir.Node {
	// What underflows in the quotient is far below 2^-23; it is NaN for infinity, and then as wide.
	q := quotient(width, steps, k.Const(1).Div(steps))
	s := oneNaN(k, t.round(k, q.Ordered().Select(q, width)).Max(k.Const(0x1p-23)))
	k.Store("scale", ir.MemF32, s)
	k.Store("recip", ir.MemF32, reciprocal(k, s))
	return s
}

// round rounds to the element type.
func (t tensor) round(k *ir.Kernel, v *ir.Node) *ir.Node {
	switch t.mem {
	case ir.MemF16:
		return v.RoundF16()
	case ir.MemBF16:
		u := v.As(ir.I32)
		odd := u.Shr(16).And(k.Int(1))
		u = u.IAdd(odd).IAdd(k.Int(0x7fff)).And(k.Int(-0x10000))
		return v.Ordered().Select(u.As(ir.F32), k.Const(float32(math.NaN())))
	}
	return v
}

// magnitudes are what symmetric formats take of ranges.
func magnitudes() *ir.Kernel {
	k := ir.New("params", "ParamsMagnitude", `sets most = max(-min(low, 0), max(high, 0)), NaN if low or high is.`)
	zero := k.Const(0)
	k.Store("most", ir.MemF32, zero.Sub(k.Load("low", ir.MemF32).Min(zero)).Maximum(k.Load("high", ir.MemF32).Max(zero)))
	return k
}

// chooseE8M0 is the scale of the OCP Microscaling formats.
func chooseE8M0() *ir.Kernel {
	k := ir.New("params", "ParamsPowerOfTwo", `sets scale = 2^(e-maxExp), at least 2^-126, with e most's exponent, and recip = 1/scale, exact.
most is the largest magnitude of a group.`)
	e := k.Load("most", ir.MemF32).Magnitude().As(ir.I32).Shr(23).ISub(k.Word("maxExp", ir.MemI32)).IMax(k.Int(1))
	k.Store("scale", ir.MemF32, e.Shl(23).As(ir.F32))
	k.Store("recip", ir.MemF32, k.Int(254).ISub(e).Shl(23).As(ir.F32))
	return k
}
