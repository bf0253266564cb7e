using Weir.Configuration;
using Weir.Models;

namespace Weir.Tests.Models;

public sealed class ModelsConfigTests
{
    private const string One =
        """{"kind": "openai", "url": "https://api.example/v1", "key": "EXAMPLE_KEY", "models": {"small": {"input": 0.4, "output": """
            + """1.6}, "free/large": {}}}""";

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Providers_are_read_from_the_file_and_from_the_variable(bool file)
    {
        var providers = $$$"""{"one": {{{One}}}, /* why */ }""";
        var config = file
            ? WeirConfig.Parse(
                $$$"""{"models": {"providers": {{{providers}}}, "default": "one/free/large"}}""", new Dictionary<string, string>())
            : WeirConfig.Parse(
                "{}", new Dictionary<string, string> { ["WEIR_MODELS_PROVIDERS"] = providers, ["WEIR_MODELS_DEFAULT"] = "one/free/large" });

        var (name, provider) = config.Models.Providers.Single();
        (name, provider.Kind, provider.Url, provider.KeyVariable).ShouldBe(
            ("one", "openai", new Uri("https://api.example/v1"), "EXAMPLE_KEY"));
        provider.Models["small"].ShouldBe(new ModelPrice(0.4m, 1.6m));
        provider.Models["free/large"].ShouldBeNull();
        ModelChoice.Parse(config.Models.Default).ShouldBe(new ModelChoice("one", "free/large"));
    }

    [Theory]
    [InlineData("[]", "It wants a JSON object")]
    [InlineData("7", "It wants a JSON object")]
    [InlineData("""{"one": []}""", "It wants a JSON object")]
    [InlineData("""{"One!": {}}""", "A provider's name")]
    [InlineData("""{"offline": {}}""", "not offline")]
    [InlineData("""{"one": {"kind": "magic"}}""", "kind must be")]
    [InlineData("""{"one": {"kind": 7}}""", "kind must be text")]
    [InlineData("""{"one": {"kind": "openai", "url": "ftp://x", "models": {"m": {}}}}""", "url must be")]
    [InlineData("""{"one": {"kind": "openai", "url": "https://me:secret@x/", "models": {"m": {}}}}""", "url must be")]
    [InlineData("""{"one": {"kind": "openai", "url": "https://x", "key": "sk-123", "models": {"m": {}}}}""", "never the key itself")]
    [InlineData("""{"one": {"kind": "openai", "url": "https://x", "key": "WEIR_KEY", "models": {"m": {}}}}""", "not one of WEIR_*")]
    [InlineData("""{"one": {"kind": "openai", "url": "https://x"}}""", "models must name")]
    [InlineData("""{"one": {"kind": "openai", "url": "https://x", "models": {"m": {"input": 1}}}}""", "output must be")]
    [InlineData("""{"one": {"kind": "openai", "url": "https://x", "models": {"m": {"input": -1, "output": 1}}}}""", "input must be")]
    [InlineData(
        """{"one": {"kind": "openai", "url": "https://x", "models": {"m": {}}, "apiKey": "sk-123"}}""", "There is no member apiKey")]
    public void What_is_wrong_is_named_and_a_key_is_never_repeated(string providers, string problem)
    {
        foreach (var inFile in new[] { true, false })
        {
            var error = Should.Throw<ConfigException>(() => inFile
                ? WeirConfig.Parse($$$"""{"models": {"providers": {{{providers}}}}}""", new Dictionary<string, string>())
                : WeirConfig.Parse("{}", new Dictionary<string, string> { ["WEIR_MODELS_PROVIDERS"] = providers }));
            error.Errors.ShouldHaveSingleItem().ShouldContain(problem);
            error.Message.ShouldNotContain("sk-123");
        }
    }

    [Theory]
    [InlineData("one/none")]
    [InlineData("two/small")]
    [InlineData("small")]
    [InlineData("")]
    public void The_default_must_be_one_of_them(string name) => Should.Throw<ConfigException>(() =>
        WeirConfig.Parse($$$"""{"models": {"providers": {"one": {{{One}}}}, "default": "{{{name}}}"}}""",
            new Dictionary<string, string>())).Message.ShouldContain("models.default");

    [Fact]
    public void A_variable_that_is_no_json_is_refused_and_not_repeated() =>
        Should.Throw<ConfigException>(
            () => WeirConfig.Parse("{}", new Dictionary<string, string> { ["WEIR_MODELS_PROVIDERS"] = "sk-123" })).Message.ShouldNotContain(
            "sk-123");

    [Fact]
    public void S6_what_is_not_set_is_inherited_and_zero_is_zero()
    {
        var config = WeirConfig.Parse($$$"""{"models": {"providers": {"one": {{{One}}}}, "default": "one/small", "retries": 3}}""",
            new Dictionary<string, string>()).Models;

        var inherited = ModelPlan.Of(ModelSettings.None, config);
        inherited.Choices.ShouldBe([new ModelChoice("one", "small")]);
        (inherited.Retries, inherited.Temperature, inherited.MaxTokens, inherited.Timeout).ShouldBe(
            (3, null, 2048, TimeSpan.FromSeconds(20)));

        var zero = ModelPlan.Of(new ModelSettings(ModelChoice.Offline, new ModelChoice("one", "small"), 0, 1, 100, 0), config);
        zero.Choices.ShouldBe([ModelChoice.Offline, new ModelChoice("one", "small")]);
        (zero.Retries, zero.Temperature, zero.MaxTokens, zero.Timeout).ShouldBe((0, 0, 1, TimeSpan.FromMilliseconds(100)));
        ModelPlan.Of(new ModelSettings(null, new ModelChoice("one", "small"), null, null, null, null), config).Choices.Count.ShouldBe(
            1, "a fallback to the same is none");
    }

    [Fact]
    public void A_cost_is_rounded_up_once_for_the_turn_and_not_known_without_a_price()
    {
        var config = WeirConfig.Parse("{\"models\": {\"providers\": {\"one\": " + One + "}}}", new Dictionary<string, string>()).Models;
        var tally = new ModelTally(config);

        tally.AddAnswer(new ModelChoice("one", "small"), new() { InputTokenCount = 1, OutputTokenCount = 0 });
        tally.AddFailure(new ModelChoice("one", "small"));
        tally.AddAnswer(new ModelChoice("one", "small"), new() { InputTokenCount = 1, OutputTokenCount = 1 });
        tally.AddAnswer(new ModelChoice("one", "free/large"), new() { InputTokenCount = long.MaxValue / 4, OutputTokenCount = -5 });
        tally.AddAnswer(ModelChoice.Offline, null);

        tally.Usage.ShouldBe(
        [
            new ModelUsage(new ModelChoice("one", "small"), 2, 1, 2, 1, 3),
            new ModelUsage(new ModelChoice("one", "free/large"), 1, 0, long.MaxValue / 4, 0, null),
            new ModelUsage(ModelChoice.Offline, 1, 0, 0, 0, 0),
        ]);
    }
}
