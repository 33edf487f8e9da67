package formula

import "github.com/lowbit-go/lowbit/gen/ir"

// convert is one element type to another, rounded once, half to even.
func convert() []*ir.Kernel {
	var ks []*ir.Kernel
	for _, t := range tensors[1:] {
		k := ir.New("convert", "Encode", `sets y to x rounded to the 16-bit type.`, Elems.Of(t.name))
		k.Store("y", t.mem, k.Load("x", ir.MemF32))
		ks = append(ks, k)
		k = ir.New("convert", "Decode", `sets y to the values of x.`, Elems.Of(t.name))
		k.Store("y", ir.MemF32, k.Load("x", t.mem))
		ks = append(ks, k)
	}
	for _, f := range []format{e4m3, e5m2, e2m1} {
		k := ir.New("convert", "DecodeFp", `sets y to the values of the codes x.`, Codes.Of(f.name))
		k.Store("y", ir.MemF32, k.Load("x", f.code))
		ks = append(ks, k)
	}
	for _, q := range fpCodes {
		if q.name == "E2M1" {
			continue // here that is a code of its own
		}
		k := ir.New("convert", "EncodeFp", `sets y to the code of min(max(x, -most), most) rounded to the format: with the format's
largest value for most the conversion saturates, with the step behind it it overflows.`, Codes.Of(q.name))
		x := k.Load("x", ir.MemF32)
		q.store(k, "y", k.Word("most", ir.MemF32), x, func() *ir.Node { return x })
		ks = append(ks, k)
	}
	return ks
}
