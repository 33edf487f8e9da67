package formula

import "github.com/lowbit-go/lowbit/gen/ir"

const withSignBit = "\nsign is the highest bit of a signed code, 0 if they are unsigned."

// pack packs codes that exist already, and unpacks them.
func pack() []*ir.Kernel {
	var ks []*ir.Kernel
	for _, c := range []struct {
		name string
		mem  ir.Mem
	}{{"Packed4", ir.MemU4}, {"Packed2", ir.MemU2}} {
		k := ir.New("pack", "Pack", `sets y to the low bits of x.`, Codes.Of(c.name))
		k.Store("y", c.mem, k.Load("x", ir.MemByte))
		ks = append(ks, k)
		k = ir.New("pack", "Unpack", `sets y to the codes x.`+withSignBit, Codes.Of(c.name))
		k.Store("y", ir.MemByte, k.Signed("x", c.mem, k.Word("sign", ir.MemI32)))
		ks = append(ks, k)
	}
	return ks
}
