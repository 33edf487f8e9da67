//go:build !purego

// Package cpuid asks an x86 processor for its maker, its model and its caches, of which
// golang.org/x/sys/cpu says nothing. A library that says more is half as large as
// all that a program links of package kernels.
package cpuid

func query(leaf, sub uint32) (eax, ebx, ecx, edx uint32)

// Maker returns the processor's twelve letters, such as GenuineIntel or AuthenticAMD,
// and "" of another architecture.
func Maker() string {
	_, b, c, d := query(0, 0)
	var letters [12]byte
	for i, word := range [3]uint32{b, d, c} {
		for k := range 4 {
			letters[4*i+k] = byte(word >> (8 * k))
		}
	}
	return string(letters[:])
}

// Model returns the processor's family and its model in that, and 0 of another architecture.
func Model() (family, model int) {
	a, _, _, _ := query(1, 0)
	family, model = int(a>>8&15), int(a>>4&15)
	if family == 6 || family == 15 {
		model += int(a>>16&15) << 4
	}
	if family == 15 {
		family += int(a >> 20 & 255)
	}
	return family, model
}

// The leaves that list caches, of Intel and of AMD: of each its level, and what its
// size is the product of.
const (
	extended    = 0x80000000
	intelCaches = 4
	amdCaches   = 0x8000001D
	mostCaches  = 8
)

// Caches returns the sizes in bytes of a core's second cache and of the third one,
// as this machine tells them; 0 if it does not.
func Caches() (second, third int) {
	leaf := uint32(intelCaches)
	if Maker() != "GenuineIntel" {
		leaf = amdCaches
	}
	if most, _, _, _ := query(leaf&extended, 0); most < leaf {
		return 0, 0
	}
	for sub := range uint32(mostCaches) {
		a, b, c, _ := query(leaf, sub)
		if a&31 == 0 {
			break
		}
		size := int(b>>22+1) * int(b>>12&0x3FF+1) * int(b&0xFFF+1) * int(c+1)
		switch a >> 5 & 7 {
		case 2:
			second = size
		case 3:
			third = size
		}
	}
	return second, third
}
