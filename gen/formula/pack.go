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
	pack := ir.New("pack", "PackSixes", `sets y to codes of six bits, the bits low of x and the bits high of x>>2.`)
	x := pack.Load("x", ir.MemByte)
	bytes := func(k *ir.Kernel, name string) *ir.Node { return k.Word(name, ir.MemI32).As(ir.I8) }
	pack.Store("y", ir.MemU6, x.And(bytes(pack, "low")).OrAnd(x.Shr(2), bytes(pack, "high")))
	unpack := ir.New("pack", "UnpackSixes", `sets y to the bits keep of the codes x, with the sign extended.`+withSignBit)
	unpack.Store("y", ir.MemByte, unpack.Signed("x", ir.MemU6, unpack.Word("sign", ir.MemI32)).And(bytes(unpack, "keep")))
	return append(ks, whole(pack), whole(unpack))
}

// whole has the kernel run over whole tiles.
func whole(k *ir.Kernel) *ir.Kernel {
	k.Whole = true
	return k
}

// Streams records a kernel for codes of any number of bits, a little-endian bit stream.
func Streams() []*ir.Kernel {
	k := ir.New("pack", "UnpackStream", `gives each of n >= 1 times 32 codes of at most eight bits a byte. Half is how many bytes sixteen of them have. In order are, for eight codes, where the
two bytes are in which each lies, the same for the next eight, and a number of 16 bits each, which brings it to the top of these by a product; it goes down
from there by so many bits. Behind the last code 16 bytes may be read, less those that sixteen codes have.`)
	k.Stream, k.UpTo256 = true, true
	return []*ir.Kernel{k}
}
