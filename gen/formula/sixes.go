package formula

import "github.com/lowbit-go/lowbit/gen/ir"

// Sixes records kernels for blocks of floats of six bits, four codes to three bytes. What is
// less than a tile of such blocks goes another way.
func Sixes() []*ir.Kernel {
	q := fpCode{"Sixes", ir.MemU6, false}
	k := ir.New("sixes", "QuantizeSixes", `sets q to the codes of six bits of x*factor, clipped and rounded to the format, which words describe as they do a
Float8. It stops where a product is NaN.`)
	e := q.encoder(k)
	v := k.Load("x", ir.MemF32).Mul(k.Param("factor", ir.MemF32))
	k.Store("q", q.mem, e.codes(e.steps(v.OrAlarm()), v).InOrder())

	d := ir.New("sixes", "DequantizeSixes", `sets y = q*(scale*times), the product finite. The format is given by two words for 16 bits, each twice: down is a power
of two, 1<<16 less by as many places as its exponent has bits less than 5, and keep the bits of a float16 that a code has when it is as far
below the sign. Times has for a factor what is missing then.`)
	x := d.LoadSixes("q", d.Word("down", ir.MemI32), d.Word("keep", ir.MemI32))
	d.Store("y", ir.MemF32, x.Mul(d.Word("times", ir.MemF32).Mul(d.Param("scale", ir.MemF32))))
	d.Large = true
	return []*ir.Kernel{whole(k), whole(d)}
}
