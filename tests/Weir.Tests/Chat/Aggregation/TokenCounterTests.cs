using FsCheck.Xunit;
using Weir.Chat.Aggregation;

namespace Weir.Tests.Chat.Aggregation;

public sealed class TokenCounterTests
{
    private readonly TokenCounter _tokens = new();

    // Of the vocabulary's own tests.
    [Theory]
    [InlineData("", 0)]
    [InlineData("tiktoken is great!", 6)]
    [InlineData("お誕生日おめでとう", 9)]
    public void A_text_has_the_tokens_that_the_encoding_gives_it(string text, int tokens) => _tokens.Count(text).ShouldBe(tokens);

    [Fact]
    public void Counting_stops_when_it_is_enough() =>
    _tokens.Count(string.Concat(Enumerable.Repeat("word ", 1_000_000)), 100).ShouldBeInRange(101, 700);

    [Fact]
    public void S12_one_endless_word_is_counted() => _tokens.Count(new string('x', 100_000)).ShouldBeInRange(1000, 100_000);

    [Property]
    public bool What_fits_has_no_more_tokens_than_that(string? text, FsCheck.NonNegativeInt tokens)
    {
        var whole = text ?? "";
        var fits = _tokens.Fit(whole, tokens.Get);
        return _tokens.Count(whole[..fits]) <= tokens.Get
            && (fits == whole.Length || fits == 0 || !char.IsHighSurrogate(whole[fits - 1]) || !char.IsLowSurrogate(whole[fits]));
    }
}
