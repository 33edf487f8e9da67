package formula

import (
	"math"

	"github.com/lowbit-go/lowbit/gen/ir"
)

// Scales between these allow division without dividing. A dividend of 2^-101
// or more has remainders that are float32 numbers; of a smaller one the
// quotient is below 2^-21, and rounds to zero in every format however it comes
// out. Where something overflows, a NaN comes out.
const (
	leastSafeScale = 0x1p-80
	mostSafeScale  = 0x1p+100
)

// prepare makes what a group's elements need from what the caller gives, with
// groups as lanes.
func prepare() *ir.Kernel {
	k := ir.New("prepare", "Prepare", `sets recip = 1/scale, or NaN if scale is not within [2^-80, 2^100].`)
	k.Store("recip", ir.MemF32, reciprocal(k, k.Load("scale", ir.MemF32)))
	return k
}

// reciprocal is 1/s, or NaN where that would not do: it makes every quotient
// NaN, and so sends every tile the rare way.
func reciprocal(k *ir.Kernel, s *ir.Node) *ir.Node {
	return reciprocalWithin(k, s, k.Const(leastSafeScale), k.Const(mostSafeScale), k.Const(1))
}

func reciprocalWithin(k *ir.Kernel, s, least, most, one *ir.Node) *ir.Node {
	return s.Max(least).Min(most).Eq(s).Select(one.Div(s), k.Const(float32(math.NaN())))
}
