using System.Net;
using Weir.Egress;
using Weir.Errors;
using Weir.Upstream;

namespace Weir.Tests.Egress;

public sealed class EgressPolicyTests
{
    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("10.1.2.3")]
    [InlineData("172.16.0.1")]
    [InlineData("172.31.255.255")]
    [InlineData("192.168.1.1")]
    [InlineData("169.254.169.254")]
    [InlineData("100.64.0.1")]
    [InlineData("0.0.0.0")]
    [InlineData("192.0.0.1")]
    [InlineData("198.18.0.1")]
    [InlineData("224.0.0.1")]
    [InlineData("255.255.255.255")]
    [InlineData("::1")]
    [InlineData("::")]
    [InlineData("fe80::1")]
    [InlineData("fc00::1")]
    [InlineData("fd12:3456::1")]
    [InlineData("ff02::1")]
    [InlineData("::ffff:127.0.0.1")]
    [InlineData("::ffff:8.8.8.8")]
    [InlineData("::127.0.0.1")]
    [InlineData("64:ff9b::7f00:1")]
    [InlineData("2002:7f00:1::")]
    [InlineData("2001:0:4136:e378::")]
    [InlineData("2001:db8::1")]
    public void A12_addresses_that_are_not_public_are_refused(string address) =>
    EgressPolicy.IsPublic(IPAddress.Parse(address)).ShouldBeFalse();

    [Theory]
    [InlineData("8.8.8.8")]
    [InlineData("172.32.0.1")]
    [InlineData("100.128.0.1")]
    [InlineData("2606:4700::1111")]
    public void Public_addresses_pass(string address) => EgressPolicy.IsPublic(IPAddress.Parse(address)).ShouldBeTrue();

    [Theory]
    [InlineData("http://example.com/")]
    [InlineData("file:///etc/passwd")]
    [InlineData("https://user:secret@example.com/")]
    [InlineData("gopher://example.com/")]
    public void A12_urls_that_are_not_plain_https_are_refused(string url)
    {
        using var egress = new EgressHttp(new EgressPolicy([]));
        Should.Throw<WeirException>(() => egress.CheckUrl(new Uri(url))).Code.ShouldBe(ErrorCode.Forbidden);
    }

    [Fact]
    public void An_exception_is_the_operators_and_may_be_bound_to_a_port()
    {
        using var egress = new EgressHttp(new EgressPolicy(["10.0.0.5:8080"]));
        egress.CheckUrl(new Uri("http://10.0.0.5:8080/mcp"));
        Should.Throw<WeirException>(() => egress.CheckUrl(new Uri("http://10.0.0.5:9090/mcp")));
    }

    [Theory]
    [InlineData("https://127.0.0.1:1/")]
    [InlineData("https://localhost:1/")]
    [InlineData("https://2130706433:1/")]
    [InlineData("https://[::ffff:127.0.0.1]:1/")]
    public async Task A12_a_name_that_leads_inside_is_refused_at_the_socket(string url)
    {
        using var egress = new EgressHttp(new EgressPolicy([]));
        using var request = new HttpRequestMessage(HttpMethod.Get, url);
        using var account = new ByteBudget(1000, 1000).Open(Guid.Empty);
        var refused = await Should.ThrowAsync<UpstreamException>(
            () =>
                UpstreamRequest.SendAsync(
                    egress.Guarded, request, 1000, TimeProvider.System, isNode: false, account, done: null, CancellationToken.None));
        refused.Failure.ShouldBe(UpstreamFailure.Refused);
    }
}
