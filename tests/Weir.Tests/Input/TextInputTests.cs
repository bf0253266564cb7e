using Weir.Input;
using Weir.Mcp;

namespace Weir.Tests.Input;

public sealed class TextInputTests
{
    // No theory: an attribute cannot hold half of a surrogate pair.
    [Fact]
    public void F06_what_postgresql_cannot_hold_is_told_from_what_it_can()
    {
        foreach (var text in (string[])["a\0b", "\ud800", "a\udc00", "\ud800\ud800\udc00", "\ud800x", "x\udfff\udbff"])
        {
            TextInput.IsStorable(text).ShouldBeFalse();
        }

        foreach (var text in (string[])["", "a", "😀", "😀😀é"])
        {
            TextInput.IsStorable(text).ShouldBeTrue();
        }
    }

    [Theory]
    [InlineData("AAAA", 3)]
    [InlineData("AAA", null)]
    [InlineData("!", null)]
    [InlineData("é", null)]
    [InlineData("=", null)]
    [InlineData("", 0)]
    public void F06_base64_is_its_bytes_or_null(string text, int? length) => (TextInput.FromBase64(text)?.Length).ShouldBe(length);

    [Theory]
    [InlineData("AAAA", 3)]
    [InlineData("A", null)]
    [InlineData("A+", null)]
    [InlineData("=", null)]
    [InlineData("AAAAAAAAAAAA", null)]
    public void F06_base64url_is_its_bytes_or_null(string text, int? length) => (TextInput.FromBase64Url(text, 8)?.Length).ShouldBe(length);

    [Theory]
    [InlineData("=?base64?=", "=?base64?=")]
    [InlineData("=?base64?", "=?base64?")]
    [InlineData("=?base64??=", "")]
    [InlineData("=?base64?ZWNobw==?=", "echo")]
    [InlineData("=?base64?!?=", null)]
    [InlineData("=?base64?gA==?=", null)]
    [InlineData("=?base64?7aCA?=", null)]
    [InlineData("?=", "?=")]
    public void F06_a_header_value_is_decoded_or_refused(string value, string? decoded) => HeaderValues.Decode(value).ShouldBe(decoded);

    [Fact]
    public void F06_a_name_that_looks_encoded_comes_back_as_it_was()
    {
        foreach (var name in (string[])["=?base64?=", "=?base64??=", "=?base64?x?=", "é", " a"])
        {
            HeaderValues.Decode(HeaderValues.Encode(name)).ShouldBe(name);
        }
    }
}
