using System.Text;
using System.Text.Json;
using Weir.Errors;
using Weir.Nodes;

namespace Weir.Tests.Nodes;

public sealed class LogMaskTests
{
    private static readonly JsonElement Configuration = JsonSerializer.SerializeToElement(new
    {
        token = "s3cret-token", password = "pa\"ss\\wörd", key = "line one\nline two", pin = 271828, open = "shown",
        list = new[] { "first-item" },
        nested = new { deep = "deep-value", open = "seen" },
    });

    private static readonly JsonElement Schema = JsonElement.Parse("""
        {"type": "object", "properties": {"key": {"writeOnly": true}, "pin": {"writeOnly": true}, "open": {}, "list": {"items": {"writeOnly": true}},
         "nested": {"properties": {"deep": {"writeOnly": true}, "open": {}}}}}
        """);

    private static readonly LogMask Mask = LogMask.Of(
        JsonSerializer.SerializeToElement(
            new { TOKEN = "${config.token}", PASSWORD = "${config.password}", FILES = "${instanceDir}/data", MODE = "on" }),
        Configuration, Schema);

    public static TheoryData<string, string> Lines => new()
    {
        { "token=s3cret-token.", "token=***." },
        { "s3cret-tokens3cret-token", "******" },
        { "it is pa\"ss\\wörd", "it is ***" },
        { JsonSerializer.Serialize(new { t = "pa\"ss\\wörd" }), """{"t":"***"}""" },
        { """{"t":"pa\"ss\\wörd"}""", """{"t":"***"}""" },
        { "GET /?p=" + Uri.EscapeDataString("pa\"ss\\wörd"), "GET /?p=***" },
        { "line two", "***" },
        { "pin 271828", "pin ***" },
        { "first-item", "***" },
        { "deep-value and seen", "*** and seen" },
        { "/var/lib/x/data", "/var/lib/x***" },
        { "shown", "shown" },
        { "on and on", "on and on" },
        { """{"t":"{\"p\":\"pa\\\"ss\\\\wörd\"}"}""", """{"t":"{\"p\":\"***\"}"}""" },
        { @"pa\""ss\\w\u00f6rd pa\""ss\\w\u00F6rd", "*** ***" },
        { @"{ t: 'pa""ss\\wörd' }", "{ t: '***' }" },
        { "pa%22ss%5cw%c3%b6rd", "***" },
        { Convert.ToBase64String(Encoding.UTF8.GetBytes("pa\"ss\\wörd")), "***=" },
        { Convert.ToBase64String(Encoding.UTF8.GetBytes("line one\nline two")), "***=" },
        { "s3cret-toke", "s3cret-toke" },
    };

    [Theory]
    [MemberData(nameof(Lines))]
    public void Values_of_the_environment_and_of_what_is_written_only_are_masked_however_they_are_spelled(string printed, string shown) =>
        Mask.Apply(printed).ShouldBe(shown);

    [Theory]
    [InlineData("it's (very) odd! *~", "it's%20(very)%20odd!%20*~")] // encodeURIComponent
    [InlineData("it's (very) odd! *~", "it%27s%20%28very%29%20odd%21%20%2a~")] // of RFC 3986
    [InlineData("it's (very) odd! *~", "it%27s+%28very%29+odd%21+*%7E")] // URLSearchParams
    [InlineData("it's (very) odd! *~", "it's+(very)+odd!+*~")]
    [InlineData("it's \"odd\"", @"it\'s ""odd""")]
    [InlineData("\u001b[1mbold", @"\u001b[1mbold")]
    [InlineData("\u001b[1mbold", @"\x1B[1mbold")]
    [InlineData("??>>~~é", "Pz8+Pn5+w6k")]
    [InlineData("??>>~~é", "Pz8-Pn5-w6k")]
    [InlineData("😀-token", @"\ud83d\ude00-token")]
    public void A_value_is_masked_as_programs_spell_it(string value, string printed) =>
        Of(new { A = value }).Apply($"<{printed}>").ShouldBe("<***>");

    [Fact]
    public void Values_that_overlap_are_masked_together() =>
        Of(new { A = "abcdef", B = "defghi", C = "bcde" }).Apply("xabcdefghiy abcdefabcdef").ShouldBe("x***y ******");

    [Fact]
    public void The_beginning_of_a_value_at_the_end_of_a_line_that_was_cut_is_masked()
    {
        var line = new string('x', 8 * 1024) + " s3cret-to";
        Mask.Apply(line).ShouldEndWith("x ***");
        Mask.Apply(line + "…").ShouldEndWith("x ***");
        Mask.Apply("s3cret-to").ShouldBe("s3cret-to");
    }

    [Fact]
    public void A_line_that_was_cut_counts_as_cut_although_what_is_masked_in_it_makes_it_shorter()
    {
        var line = "token s3cret-token " + new string('x', (8 * 1024) - 28);
        Mask.Apply(line + " s3cret-t…").ShouldBe("token *** " + line[19..] + " ***");
        Mask.Apply(line + " s3cret-token"[..9] + "\uFFFD").ShouldEndWith("x ***");
    }

    [Fact]
    public void Where_the_environment_cannot_be_made_every_value_of_the_configuration_is_masked() =>
        LogMask.Of(JsonSerializer.SerializeToElement(new { A = "${config.absent}" }), Configuration, JsonElement.Parse("{}"))
            .Apply("s3cret-token shown").ShouldBe("*** ***");

    [Fact]
    public void A_variable_that_cannot_be_made_uncovers_no_other_one_and_no_part_of_its_own()
    {
        var mask = Of(new { A = "before-${config.absent}-after", B = "operators-token", C = 123456 });
        mask.Apply("operators-token, before-x-after, 123456").ShouldBe("***, ***x***, ***");
    }

    [Fact]
    public void A_configuration_of_too_many_values_is_refused_and_one_of_many_takes_no_longer_for_each()
    {
        var many = Enumerable.Range(0, 13_000).ToDictionary(i => $"V{i}", i => $"'{i:00000}'");
        Should.Throw<WeirException>(() => Of(many)).Code.ShouldBe(ErrorCode.TooLarge);
        var mask = Of(many.Take(4_000).ToDictionary());
        mask.Apply("'03999' '04000'").ShouldBe("*** '04000'");
    }

    [Fact]
    public void Whoever_stops_waiting_stops_the_work() =>
        Should.Throw<OperationCanceledException>(() => LogMask.Of(
            JsonSerializer.SerializeToElement(new { A = "a-value" }), default, default, new CancellationToken(canceled: true)));

    private static LogMask Of(object env) =>
        LogMask.Of(JsonSerializer.SerializeToElement(env), JsonElement.Parse("{}"), JsonElement.Parse("{}"));
}
