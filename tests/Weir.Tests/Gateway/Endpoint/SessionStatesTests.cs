using System.Globalization;
using Microsoft.Extensions.Time.Testing;
using Weir.Gateway.Http;
using Weir.Gateway.Watching;

namespace Weir.Tests.Gateway.Endpoint;

public sealed class SessionStatesTests
{
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public void F05_of_one_principals_sessions_the_newest_keep_what_they_subscribed_to_and_nobody_elses_are_dropped()
    {
        var states = new SessionStates(_time);
        var left = 0;
        var bystander = states.Of(Open("bystander", 0));
        for (var i = 0; i < 10_000; i++)
        {
            var state = states.Of(Open("flood", i));
            state.Subscriptions["file:///x"] = new Subscription(Guid.Empty, "file:///x", () => { }, _ => left++);
            states.Count.ShouldBeLessThanOrEqualTo(2001);
        }

        left.ShouldBeGreaterThanOrEqualTo(8000);
        states.Of(Open("bystander", 0)).ShouldBeSameAs(bystander);
        states.Find(Open("flood", 9999)).ShouldNotBeNull();
    }

    [Fact]
    public void F05_of_one_principals_ended_sessions_the_newest_are_remembered_and_nobody_elses_are_forgotten()
    {
        var states = new SessionStates(_time);
        states.End(Open("bystander", 0));
        for (var i = 0; i < 30_000; i++)
        {
            states.End(Open("flood", i));
            states.EndedCount.ShouldBeLessThanOrEqualTo(11_001);
        }

        states.IsEnded(Open("bystander", 0)).ShouldBeTrue();
        states.IsEnded(Open("flood", 29_999)).ShouldBeTrue();
        states.IsEnded(Open("flood", 0)).ShouldBeFalse();
    }

    [Fact]
    public void What_has_expired_is_dropped()
    {
        var states = new SessionStates(_time);
        states.Of(Open("gone", 0));
        states.End(Open("gone", 1));
        _time.Advance(TimeSpan.FromDays(2));
        for (var i = 0; i < 1000; i++)
        {
            states.Of(Open("new", i));
        }

        states.Find(Open("gone", 0)).ShouldBeNull();
        states.EndedCount.ShouldBe(0);
    }

    /// <summary>A later one expires later.</summary>
    private Session Open(string principal, int number) => new(
        principal + number.ToString(CultureInfo.InvariantCulture), principal, "/mcp", "2025-11-25", "{}", Guid.Empty,
        _time.Start.AddDays(1).AddSeconds(principal == "new" ? 1_000_000 + number : number));
}
