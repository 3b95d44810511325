"""Rules of elections: timeouts, pre-votes, votes (Figure 2; dissertation, 4.2.3 and 9.6)."""

from __future__ import annotations

from kvtop.workload.raft.base import RaftBase
from kvtop.workload.raft.quorum import has_quorum, majority
from kvtop.workload.raft.types import PreVote, PreVoteReply, Role, TimeoutNow, Vote, VoteReply


class ElectionRules(RaftBase):
    """How a node asks for votes, gives them, and counts them."""

    def _tick_election(self) -> None:
        self._election_elapsed += 1
        if self._election_elapsed >= self._election_timeout:
            self._reset_election_timer()
            if self._may_campaign():
                self._campaign(pre=self.config.pre_vote)

    def _may_campaign(self) -> bool:
        """Whether it votes, or did before a change that may never be committed.

        A node that holds its own removal may hold the longest log, and then nobody else can be
        elected (dissertation, 4.2.2).
        """
        return (
            self.id in self.configuration.voters
            or self.id in self._configs.at(self.log.committed).voters
        )

    def _campaign(self, pre: bool, transfer: bool = False) -> None:
        """Ask for pre-votes for the next term, or start it and ask for votes."""
        if pre:
            self._leave_role(Role.PRE_CANDIDATE, None)
        else:
            self.term += 1
            self.vote = self.id
            self._leave_role(Role.CANDIDATE, None)
        last_index, last_term = self.log.last_index, self.log.last_term
        for node in sorted(self.configuration.voters - {self.id}):
            if pre:
                self._send(PreVote(self.id, node, self.term + 1, last_index, last_term))
            else:
                self._send(Vote(self.id, node, self.term, last_index, last_term, transfer))
        if pre:
            self._count_vote(self.id, True)

    def _count_own_vote(self) -> None:
        """Called when something became durable: a vote for oneself counts only from then on."""
        if self.role is Role.CANDIDATE and self._is_hard_state_durable():
            self._count_vote(self.id, True)

    def _count_vote(self, voter: int, granted: bool) -> None:
        """Note one answer (the first of each voter counts) and act on the outcome."""
        self._votes.setdefault(voter, granted)
        voters = self.configuration.voters
        if has_quorum(voters, [node for node, yes in self._votes.items() if yes]):
            if self.role is Role.PRE_CANDIDATE:
                self._campaign(pre=False)
            else:
                self._become_leader()
            return
        refused = sum(1 for node, yes in self._votes.items() if not yes and node in voters)
        if refused > len(voters) - majority(voters):
            self._become_follower(self.term, None)

    def _hears_leader(self) -> bool:
        """Whether a leader was heard so lately that nobody may depose it (check-quorum's half)."""
        if not self.config.check_quorum or self.leader is None:
            return False
        return self.role is Role.LEADER or self._election_elapsed < self.config.election_ticks

    def _on_pre_vote(self, message: PreVote) -> None:
        if self._hears_leader() and message.term > self.term:
            return
        granted = message.term > self.term and self.log.is_up_to_date(
            message.last_index, message.last_term
        )
        term = message.term if granted else self.term
        self._send(PreVoteReply(self.id, message.sender, term, granted))

    def _on_pre_vote_reply(self, message: PreVoteReply) -> None:
        asked = self.term + 1 if message.granted else self.term
        if self.role is Role.PRE_CANDIDATE and message.term == asked:
            self._count_vote(message.sender, message.granted)

    def _on_vote(self, message: Vote) -> None:
        """RequestVote receiver, Figure 2: one vote a term, and only for a log as good as ours."""
        granted = self.vote in (None, message.sender) and self.log.is_up_to_date(
            message.last_index, message.last_term
        )
        if granted:
            self.vote = message.sender
            self._reset_election_timer()
        self._send(VoteReply(self.id, message.sender, self.term, granted))

    def _on_vote_reply(self, message: VoteReply) -> None:
        if self.role is Role.CANDIDATE:
            self._count_vote(message.sender, message.granted)

    def _on_timeout_now(self, message: TimeoutNow) -> None:
        if self.role is Role.FOLLOWER and self._may_campaign():
            self._campaign(pre=False, transfer=True)
