using System.Text;
using Weir.Audit;

namespace Weir.Tests.Audit;

public sealed class RedactionTests
{
    [Theory]
    [InlineData("""{"password":"hunter2"}""", "hunter2")]
    [InlineData("""{"a":{"apiKey":{"deep":"hunter2"}}}""", "hunter2")]
    [InlineData("""{"api_key":["hunter2"]}""", "hunter2")]
    [InlineData("""{"x-access-token":"hunter2"}""", "hunter2")]
    [InlineData("""{"list":["Bearer hunter2"]}""", "hunter2")]
    [InlineData("""{"text":"ghp_hunter2"}""", "hunter2")]
    [InlineData("""{"text":"eyJhunter2"}""", "hunter2")]
    public void Secrets_are_blacked_out_by_name_and_by_shape(string body, string secret)
    {
        var copy = Copy(body);
        copy.ShouldNotContain(secret);
        copy.ShouldContain("[redacted]");
    }

    [Fact]
    public void All_else_is_kept() => Copy("""{"path":"/data/ä","n":1.50,"ok":true,"nil":null,"list":[1,{"k":"v"}]}""")
        .ShouldBe("""{"path":"/data/ä","n":1.50,"ok":true,"nil":null,"list":[1,{"k":"v"}]}""");

    [Fact]
    public void A_copy_is_at_most_4_KiB_and_says_that_it_was_cut()
    {
        var copy = Copy($"{{\"a\":\"{new string('ä', 10_000)}\"}}");
        Encoding.UTF8.GetByteCount(copy).ShouldBeLessThanOrEqualTo(Redaction.MaxBytes);
        copy.ShouldEndWith("[cut]");
    }

    [Fact]
    public void A_secret_beyond_the_cut_does_not_come_in()
    {
        var copy = Copy($"{{\"a\":\"{new string('a', 5000)}\",\"password\":\"hunter2\"}}");
        copy.ShouldNotContain("hunter2");
    }

    [Fact]
    public void What_is_no_json_is_not_copied() => Copy("<html>secret</html>").ShouldBe("[not JSON, 19 bytes]");

    [Theory]
    [InlineData("{\"a\":\"\\ud83d\"}")]
    [InlineData("{\"\\udc00\":1}")]
    public void Half_of_a_surrogate_pair_is_no_reason_to_lose_the_outcome(string body) => Copy(body).ShouldStartWith("[not JSON");

    [Fact]
    public void What_text_cannot_hold_is_left_out() => Copy("""{"a":"x\u0000y"}""").ShouldNotContain("\0");

    private static string Copy(string body) => Redaction.Copy(Encoding.UTF8.GetBytes(body));
}
