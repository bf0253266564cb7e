using System.Text.Json;
using Weir.Nodes;

namespace Weir.Tests.Nodes;

public sealed class ServerTemplatesTests
{
    private const string Configuration =
        """{"directory":"/data","more":["/a","/"""
            + """b"],"number":-5,"on":true,"dash":"-x","brace":"${instanceDir}","object":{},"none":null,"empty":[]}""";

    [Theory]
    [InlineData("""["${config.directory}"]""", "/data")]
    [InlineData("""["--dir=${config.directory}","x${config.number}y${config.on}"]""", "--dir=/data|x-5ytrue")]
    [InlineData("""["${config.more}","${config.empty}","end"]""", "/a|/b|end")]
    [InlineData("""["${config.number}","${instanceDir}/f"]""", "-5|${instanceDir}/f")]
    [InlineData("""["--x=${config.dash}"]""", "--x=-x")]
    [InlineData("""[]""", "")]
    public void Args_take_their_values_from_the_configuration(string templates, string expected) =>
        string.Join('|', ServerTemplates.Args(JsonElement.Parse(templates), JsonElement.Parse(Configuration))).ShouldBe(expected);

    [Theory]
    [InlineData("""["${config.absent}"]""")]
    [InlineData("""["${config.none}"]""")]
    [InlineData("""["${config.object}"]""")]
    [InlineData("""["${env.PATH}"]""")]
    [InlineData("""["${}"]""")]
    [InlineData("""["x${config.more}"]""")]
    [InlineData("""["${config.dash}"]""")]
    [InlineData("""["${config.brace}"]""")]
    [InlineData("""[1]""")]
    public void A31_what_is_unknown_or_could_be_an_option_or_a_template_is_refused(string templates) =>
        Should.Throw<TemplateException>(() => ServerTemplates.Args(JsonElement.Parse(templates), JsonElement.Parse(Configuration)));

    [Fact]
    public void Env_takes_texts_only()
    {
        var env = ServerTemplates.Env(JsonElement.Parse("""{"A":"${config.directory}/x","B":"${instanceDir}","C":"${config.dash}"}"""),
            JsonElement.Parse(Configuration));
        env.ShouldBe(new Dictionary<string, string> { ["A"] = "/data/x", ["B"] = "${instanceDir}", ["C"] = "-x" });
        Should.Throw<TemplateException>(
            () => ServerTemplates.Env(JsonElement.Parse("""{"A":"${config.more}"}"""), JsonElement.Parse(Configuration)));
    }
}
