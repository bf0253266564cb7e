using Microsoft.Extensions.Time.Testing;
using Weir.Chat;
using Weir.Configuration;
using Weir.Errors;

namespace Weir.Tests.Chat;

public sealed class TurnLimitsTests
{
    private static readonly Guid Organization = new(1, 0, 0, [0, 0, 0, 0, 0, 0, 0, 1]);
    private static readonly Guid Agent = new(2, 0, 0, [0, 0, 0, 0, 0, 0, 0, 1]);
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public void S16_one_person_at_the_limit_takes_nothing_from_another()
    {
        var limits = new TurnLimits(new ChatConfig { MaxConcurrentPerPerson = 2 }, _time);
        var first = limits.Enter(Person(1));
        limits.Enter(Person(1));

        var refused = Should.Throw<WeirException>(() => limits.Enter(Person(1)));

        refused.Code.ShouldBe(ErrorCode.RateLimited);
        refused.RetryAfter.ShouldNotBeNull();
        limits.Enter(Person(2));
        first.Dispose();
        first.Dispose();
        limits.Enter(Person(1));
        Should.Throw<WeirException>(() => limits.Enter(Person(1)));
    }

    [Fact]
    public void A33_one_organization_at_the_limit_takes_nothing_from_another()
    {
        var limits = new TurnLimits(new ChatConfig { MaxConcurrentPerOrganization = 1 }, _time);
        limits.Enter(Person(1)).Enter(Organization, Agent);

        Should.Throw<WeirException>(() => limits.Enter(Person(2)).Enter(Organization, agentId: null)).Message.ShouldContain("organization");
        limits.Enter(Person(3)).Enter(Person(99), agentId: null);
    }

    [Fact]
    public void What_was_taken_before_a_refusal_is_given_back()
    {
        var limits = new TurnLimits(new ChatConfig { MaxConcurrentPerAgent = 2, MaxConcurrentPerOrganization = 1 }, _time);
        using (limits.Enter(Person(1)))
        {
            var open = limits.Enter(Person(2));
            open.Enter(Organization, Agent);
            using (var refused = limits.Enter(Person(3)))
            {
                Should.Throw<WeirException>(() => refused.Enter(Organization, Agent));
            }

            open.Dispose();
        }

        limits.Enter(Person(4)).Enter(Organization, Agent);
        limits.Enter(Person(5)).Enter(Person(99), Agent);
    }

    [Fact]
    public void S16_a_minutes_turns_may_be_begun_at_once_and_come_back_with_time()
    {
        var limits = new TurnLimits(new ChatConfig { PerMinutePerPerson = 6 }, _time);
        for (var i = 0; i < 6; i++)
        {
            limits.Enter(Person(1)).Dispose();
        }

        Should.Throw<WeirException>(() => limits.Enter(Person(1))).RetryAfter!.Value.TotalSeconds.ShouldBe(10, 0.1);
        limits.Enter(Person(2));
        _time.Advance(TimeSpan.FromSeconds(10.1));
        limits.Enter(Person(1)).Dispose();
        Should.Throw<WeirException>(() => limits.Enter(Person(1)));
    }

    [Fact]
    public void S16_the_defaults_let_a_hundred_people_speak_at_once()
    {
        var limits = new TurnLimits(new ChatConfig(), _time);

        for (byte i = 0; i < 200; i++)
        {
            limits.Enter(Person(i)).Enter(Person((byte)(i % 50)), Person((byte)(i % 100)));
        }
    }

    [Fact]
    public void S6_zero_is_no_limit()
    {
        var limits = new TurnLimits(new ChatConfig { MaxConcurrentPerPerson = 0, PerMinutePerPerson = 0 }, _time);

        for (var i = 0; i < 10_000; i++)
        {
            limits.Enter(Person(1));
        }
    }

    private static Guid Person(byte id) => new(3, 0, 0, [0, 0, 0, 0, 0, 0, 0, id]);
}
