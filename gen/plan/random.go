package plan

import (
	"strings"

	"github.com/lowbit-go/lowbit/gen/ir"
)

// Philox4x32-10, as package philox has it: what the first and the third word of a counter are multiplied with, in so many rounds.
const (
	PhiloxMultiplier0 = 0xD2511F53
	PhiloxMultiplier1 = 0xCD9E8D57
	PhiloxRounds      = 10
)

// Randomizer is a machine that makes random words.
type Randomizer interface {
	Machine
	RandomWords() // prints the body of such a kernel
}

// GenerateRandom prints a kernel that makes random words.
func GenerateRandom(k *ir.Kernel, m Randomizer) {
	beginWhole(k, m)
	m.RandomWords()
	m.Ret()
}

// beginWhole begins the function of a kernel whose body is the machine's.
func beginWhole(k *ir.Kernel, m Machine) {
	name := k.Name + m.Name()
	m.Begin(&Func{Kernel: k, Name: name, Doc: strings.Split(name+" "+k.Doc, "\n"), Args: Args(k)})
}
