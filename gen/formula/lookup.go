package formula

import (
	"strconv"

	"github.com/lowbit-go/lowbit/gen/ir"
)

// lookUp16 takes what codes stand for from a table that the caller has made,
// which is less than to compute 16 bits of each anew.
func lookUp16() *ir.Kernel {
	k := ir.New("lookup", "LookUp16", `sets y = table[q].`)
	k.Store("y", ir.MemI16, k.Load("q", ir.MemByte).LookUp16("table"))
	return k
}

// lookUpPairs are for codes of four bits that stand for the numbers of a table of their group.
func lookUpPairs() (ks []*ir.Kernel) {
	for _, bits := range []int{16, 32} {
		k := ir.New("lookup", "LookUpPairs", `sets y = table[q]. Of two codes in a byte the first is in the high bits. There are groups >= 1, each of length >= 64 codes, a multiple of
64, with sixteen numbers in table.`, Sizes.Of(strconv.Itoa(bits)))
		k.Pairs = bits
		ks = append(ks, k)
	}
	return ks
}
