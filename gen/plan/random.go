package plan

// Philox4x32-10, as package philox has it: what the first and the third word of a counter are multiplied with, in so many rounds.
const (
	PhiloxMultiplier0 = 0xD2511F53
	PhiloxMultiplier1 = 0xCD9E8D57
	PhiloxRounds      = 10
)
